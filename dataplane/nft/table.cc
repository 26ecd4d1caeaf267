#include "dataplane/nft/table.h"

#include <nftables/libnftables.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/nft/elements.h"
#include "dataplane/nft/listing.h"

namespace heddle::nft {
namespace {

constexpr int kTries = 8;  // against others who change nftables at the same time

// libnftables reports in words only; these are strerror(3)'s, which it appends.
Errc code_of(std::string_view text) {
  if (text.contains("Operation not permitted")) return Errc::denied;
  if (text.contains("not supported") || text.contains("No such file")) return Errc::unsupported;
  if (text.contains("syntax error")) return Errc::invalid;
  return Errc::unavailable;
}

// What is in the table as of a generation.
struct Seen {
  std::uint32_t generation = 0;
  std::string fingerprint;  // empty: there is no table
  Listing listing;
  Read read;
  PortMaps::Contents ports;
};

bool is_empty(const Networks& networks) {
  return networks.masquerades.empty() && networks.rules.empty();
}

}  // namespace

struct Table::Impl {
  Impl(std::string table, PortMaps opened)
      : name(std::move(table)), maps(std::move(opened)), context(nft_ctx_new(NFT_CTX_DEFAULT)) {
    if (!context) return;
    nft_ctx_buffer_output(context);
    nft_ctx_buffer_error(context);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (context) nft_ctx_free(context);
  }

  // The output of one command, or the error's text on one line.
  Result<std::string> run(const std::string& command, unsigned int output_flags) {
    nft_ctx_output_set_flags(context, output_flags);
    const int failed = nft_run_cmd_from_buffer(context, command.c_str());
    std::string output = nft_ctx_get_output_buffer(context);  // reading empties both buffers
    std::string error = nft_ctx_get_error_buffer(context);
    if (!failed) return output;
    const std::string line = error.substr(0, error.find('\n'));
    return fail(code_of(line), "nftables: " + (line.empty() ? "no reason given" : line));
  }

  Result<> run(const std::string& command) {
    TRY(auto output, run(command, 0));
    return {};
  }

  Result<const Seen*> look();
  Result<Seen> look_again();
  Result<> make_ready();
  Result<Published> change_once(const Published& put,
                                const std::set<dataplane::PublishedKey>& gone);
  Result<> remove_if_empty();

  std::string name;
  PortMaps maps;
  nft_ctx* context;
  std::optional<Seen> seen;
};

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::~Table() = default;

Result<std::unique_ptr<Table>> Table::open(std::string name) {
  TRY_DO(validate(name, {}));
  TRY(auto maps, PortMaps::open(name));
  auto impl = std::make_unique<Impl>(std::move(name), std::move(maps));
  if (!impl->context) return fail(Errc::exhausted, "no memory for nftables");
  return std::unique_ptr<Table>(new Table(std::move(impl)));
}

// The listing is read only when something other than ports changed in our table.
Result<Seen> Table::Impl::look_again() {
  Seen now;
  TRY(now.generation, maps.generation());
  TRY(now.fingerprint, maps.fingerprint());
  if (now.fingerprint.empty()) return now;
  TRY(now.ports, maps.read());
  if (seen && seen->fingerprint == now.fingerprint) {
    now.listing = std::move(seen->listing);
    now.read = std::move(seen->read);
    return now;
  }
  TRY(const std::string text, run("list table inet " + name, NFT_CTX_OUTPUT_JSON));
  TRY(now.listing, parse_listing(text));
  now.read = nft::read(now.listing.elements);
  return now;
}

// Borrowed until the next change.
Result<const Seen*> Table::Impl::look() {
  TRY(const std::uint32_t generation, maps.generation());
  if (seen && seen->generation == generation) return &*seen;
  for (int tries = 0; tries < kTries; ++tries) {
    auto now = look_again();
    seen.reset();
    TRY(const std::uint32_t after, maps.generation());
    if (now && now->generation == after) {
      seen = *std::move(now);
      return &*seen;
    }
    // A failure counts when nothing changed meanwhile; else it may be due to the change.
    if (!now && tries + 1 == kTries) return std::unexpected(std::move(now).error());
  }
  return fail(Errc::conflict, "other programs keep changing nftables; try again");
}

Result<> Table::set(const Networks& networks) {
  TRY_DO(validate(impl_->name, networks));
  TRY(const Seen* seen, impl_->look());
  const bool there = !seen->fingerprint.empty();
  const Published published = seen->ports.published;
  if (is_empty(networks) && published.empty()) return remove();
  const bool whole = there && seen->listing.whole && seen->ports.remarks.empty();
  return impl_->run(whole ? update(impl_->name, networks)
                          : replacement(impl_->name, networks, published));
}

// The maps must be there to be changed; what else was altered is put right by the way.
Result<> Table::Impl::make_ready() {
  TRY(const Seen* now, look());
  if (!now->fingerprint.empty() && now->listing.whole) return {};
  return run(replacement(name, now->read.networks, now->ports.published));
}

Result<Published> Table::Impl::change_once(const Published& put,
                                           const std::set<dataplane::PublishedKey>& gone) {
  TRY(const Seen* now, look());
  if (now->fingerprint.empty() && put.empty()) return Published();
  TRY_DO(make_ready());
  TRY(now, look());
  PortMaps::Change change;
  const Published& current = now->ports.published;
  for (const dataplane::PublishedKey& key : gone) {
    if (const auto found = current.find(key); found != current.end()) change.removed.insert(*found);
  }
  for (const auto& [key, target] : put) {
    const auto found = current.find(key);
    if (found != current.end() && found->second == target) {
      change.removed.erase(key);
      continue;
    }
    if (found != current.end()) change.removed.insert(*found);
    change.added.emplace(key, target);
  }
  TRY_DO(maps.apply(change, now->generation));
  // The next look costs nothing when this was the only transaction since.
  TRY(const std::uint32_t after, maps.generation());
  const bool changed = !change.removed.empty() || !change.added.empty();
  if (after == now->generation + (changed ? 1 : 0)) {
    for (const auto& [key, target] : change.removed) seen->ports.published.erase(key);
    for (const auto& [key, target] : change.added) seen->ports.published[key] = target;
    seen->generation = after;
  }
  return std::move(change.removed);
}

Result<> Table::Impl::remove_if_empty() {
  TRY(const Seen* now, look());
  if (now->fingerprint.empty() || !is_empty(now->read.networks)) return {};
  if (!now->ports.published.empty() || !now->listing.whole) return {};
  return run(removal(name));
}

Result<Published> Table::change(const Published& put,
                                const std::set<dataplane::PublishedKey>& removed) {
  for (int tries = 0; tries < kTries; ++tries) {
    auto done = impl_->change_once(put, removed);
    if (!done && done.error().code() == Errc::conflict) {
      impl_->seen.reset();
      continue;
    }
    if (done && put.empty()) TRY_DO(impl_->remove_if_empty());
    return done;
  }
  return fail(Errc::conflict, "other programs keep changing nftables; try again");
}

Result<Table::Contents> Table::observe() {
  TRY(const Seen* seen, impl_->look());
  Contents contents{seen->read.networks, seen->ports.published};
  const auto note = [&](const std::vector<std::string>& remarks) {
    for (const std::string& remark : remarks) contents.networks.rules.insert(altered(remark));
  };
  note(seen->listing.remarks);
  note(seen->read.remarks);
  note(seen->ports.remarks);
  return contents;
}

Result<> Table::remove() {
  TRY(const Seen* seen, impl_->look());
  if (seen->fingerprint.empty()) return {};
  return impl_->run(removal(impl_->name));
}

}  // namespace heddle::nft
