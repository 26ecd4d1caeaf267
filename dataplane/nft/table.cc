#include "dataplane/nft/table.h"

#include <nftables/libnftables.h>

#include <algorithm>
#include <string_view>

#include "dataplane/nft/ruleset.h"

namespace heddle::nft {
namespace {

// libnftables reports in words only; these are strerror(3)'s, which it appends.
Errc code_of(std::string_view text) {
  if (text.contains("Operation not permitted")) return Errc::denied;
  if (text.contains("not supported") || text.contains("No such file")) return Errc::unsupported;
  if (text.contains("syntax error")) return Errc::invalid;
  return Errc::unavailable;
}

}  // namespace

struct Table::Impl {
  explicit Impl(std::string table) : name(std::move(table)), context(nft_ctx_new(NFT_CTX_DEFAULT)) {
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

  Result<bool> exists() {
    TRY(const std::string listing, run("list tables inet", 0));
    return listing.contains("table inet " + name + "\n");
  }

  std::string name;
  nft_ctx* context;
};

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::~Table() = default;

Result<std::unique_ptr<Table>> Table::open(std::string name) {
  TRY_DO(validate(name, {}));
  auto impl = std::make_unique<Impl>(std::move(name));
  if (!impl->context) return fail(Errc::exhausted, "no memory for nftables");
  return std::unique_ptr<Table>(new Table(std::move(impl)));
}

Result<> Table::replace(const std::set<dataplane::Masquerade>& masquerades) {
  TRY_DO(validate(impl_->name, masquerades));
  if (masquerades.empty()) {
    TRY(const bool there, impl_->exists());
    if (!there) return {};
  }
  TRY(auto output, impl_->run(replacement(impl_->name, masquerades), 0));
  return {};
}

Result<std::set<dataplane::Masquerade>> Table::observe() {
  TRY(const bool there, impl_->exists());
  if (!there) return std::set<dataplane::Masquerade>();
  TRY(const std::string listing, impl_->run("list table inet " + impl_->name,
                                            NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL));
  return parse_listing(listing);
}

}  // namespace heddle::nft
