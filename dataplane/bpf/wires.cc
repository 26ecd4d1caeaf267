#include "dataplane/bpf/wires.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

#include "dataplane/bpf/libbpf_log.h"
#include "dataplane/bpf/load_error.h"
#include "dataplane/bpf/table.h"
#include "dataplane/bpf/tc_filter.h"
#include "ebpf/wire.skel.h"

namespace heddle::bpf {

using SettingsTable = Table<std::uint32_t, heddle_wire_settings>;
using PastTable = Table<std::uint32_t, heddle_wire_state>;
using SeveredTable = Table<heddle_wire_severed, std::uint64_t>;

struct Wires::Skeleton {
  explicit Skeleton(wire_bpf* opened) : object(opened) {}
  ~Skeleton() { wire_bpf__destroy(object); }
  Skeleton(const Skeleton&) = delete;
  Skeleton& operator=(const Skeleton&) = delete;

  Result<SettingsTable> settings() const {
    return SettingsTable::open(bpf_map__fd(object->maps.heddle_wires), "heddle_wires");
  }
  Result<PastTable> past() const {
    return PastTable::open(bpf_map__fd(object->maps.heddle_wire_past), "heddle_wire_past");
  }
  Result<SeveredTable> severed() const {
    return SeveredTable::open(bpf_map__fd(object->maps.heddle_severed), "heddle_severed");
  }

  wire_bpf* object;
};

Wires::Wires(std::unique_ptr<Skeleton> skeleton) : skeleton_(std::move(skeleton)) {}
Wires::~Wires() = default;

Result<std::unique_ptr<Wires>> Wires::load() {
  begin_libbpf_log();
  wire_bpf* opened = wire_bpf__open();
  if (!opened) return std::unexpected(load_error(errno, "wire"));
  auto skeleton = std::make_unique<Skeleton>(opened);
  if (const int failed = wire_bpf__load(opened); failed != 0)
    return std::unexpected(load_error(-failed, "wire"));
  return std::unique_ptr<Wires>(new Wires(std::move(skeleton)));
}

Result<> Wires::begin(IfIndex from, const heddle_wire_state& past) {
  TRY(PastTable table, skeleton_->past());
  return table.put(from.value, past);
}

Result<> Wires::put(IfIndex from, const heddle_wire_settings& settings) {
  TRY(SettingsTable table, skeleton_->settings());
  return table.put(from.value, settings);
}

Result<> Wires::remove(IfIndex from) {
  TRY(SettingsTable table, skeleton_->settings());
  TRY_DO(table.remove(from.value));
  TRY(PastTable past, skeleton_->past());
  return past.remove(from.value);
}

Result<std::optional<heddle_wire_state>> Wires::state(IfIndex from) const {
  TRY(const PastTable past, skeleton_->past());
  return past.find(from.value);
}

Result<> Wires::attach(IfIndex from) {
  TRY_DO(ensure_ingress_filter(from, program_fd()));
  return {};
}

Result<> Wires::attach_sever(IfIndex port) {
  TRY_DO(ensure_egress_filter(port, bpf_program__fd(skeleton_->object->progs.sever)));
  return {};
}

// New ones first: no frame slips through between two sets that have a pair in common.
Result<> Wires::sever(const std::vector<Pair>& pairs) {
  TRY(SeveredTable table, skeleton_->severed());
  TRY(const auto before, table.entries());
  std::map<Pair, bool> wanted;
  for (const Pair& pair : pairs) wanted.emplace(pair, true);
  for (const auto& [key, dropped] : before) {
    if (const auto found = wanted.find({IfIndex{key.from}, IfIndex{key.to}}); found != wanted.end())
      found->second = false;  // there already, with its count
  }
  for (const auto& [pair, is_new] : wanted) {
    if (is_new)
      TRY_DO(table.put({.from = pair.first.value, .to = pair.second.value}, std::uint64_t{0}));
  }
  for (const auto& [key, dropped] : before) {
    if (!wanted.contains({IfIndex{key.from}, IfIndex{key.to}})) TRY_DO(table.remove(key));
  }
  return {};
}

Result<std::uint64_t> Wires::severed_frames() const {
  TRY(const SeveredTable table, skeleton_->severed());
  TRY(const auto entries, table.entries());
  std::uint64_t frames = 0;
  for (const auto& [pair, dropped] : entries) frames += dropped;
  return frames;
}

int Wires::program_fd() const {
  return bpf_program__fd(skeleton_->object->progs.wire);
}
int Wires::ring_fd() const {
  return bpf_map__fd(skeleton_->object->maps.heddle_relay);
}
std::uint64_t* Wires::wakes_at() const {
  return reinterpret_cast<std::uint64_t*>(&skeleton_->object->bss->relay_wakes_at);
}

}  // namespace heddle::bpf
