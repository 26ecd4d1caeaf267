#include "topologies/labd/links.h"

#include <algorithm>
#include <thread>

#include "common/base/clock.h"
#include "dataplane/netlink/link.h"
#include "dataplane/netlink/offload.h"
#include "dataplane/netns/netns.h"
#include "topologies/engine/plan/settings.h"

namespace heddle::labd {
namespace {

using namespace std::chrono_literals;
using control::LinkStatus;
using format::Impairment;

constexpr auto kCarrierTime = 1s;  // for the kernel to take note of a new one
constexpr const char* kNothingBetween =
    ": it has nothing between its ends; give it `impair: {}` in the lab's file";
constexpr IfIndex kLoopback{1};  // of the switch namespace: a device to try qdiscs on

std::uint32_t limit_of(const Impairment& impairment) {
  return impairment.limit ? impairment.limit : format::kWaiting;
}

Result<IfIndex> index_of(netlink::Socket& socket, const std::string& name) {
  TRY(const auto link, netlink::find_link(socket, name));
  return link ? link->index : IfIndex{};
}

Result<> set_up(netlink::Socket& socket, IfIndex index, bool up) {
  netlink::LinkChange change;
  change.up = up;
  return netlink::change_link(socket, index, change);
}

}  // namespace

// Of one direction. Indices 0: not there.
struct Links::Devices {
  IfIndex from;
  IfIndex to;
  const std::string* name;  // of the first
  const plan::End* sender;  // whose packets arrive there
};

Links::Link& Links::state_of(const plan::LinkView& view) {
  const auto [at, is_new] = links_.try_emplace(view.name());
  if (is_new && view.wire) {
    at->second.of_file = view.wire->impair;
    at->second.forward = {.wanted = view.wire->impair.forward, .key = view.wire->forward_key};
    at->second.backward = {.wanted = view.wire->impair.backward, .key = view.wire->backward_key};
  }
  return at->second;
}

Result<netlink::Socket*> Links::in_switch() {
  if (!socket_) {
    TRY(const UniqueFd space, netns::open(plan_.paths.switch_netns()));
    TRY(socket_, netlink::Socket::open_in(space.get()));
  }
  return &*socket_;
}

Result<> Links::load() {
  if (wires_) return {};
  TRY(netlink::Socket * socket, in_switch());
  TRY(has_netem_, netlink::has_qdisc(*socket, kLoopback, netlink::Qdisc::netem));
  TRY(wires_, bpf::Wires::load());
  return {};
}

Result<> Links::need_relay() {
  if (relay_) return {};
  TRY(const UniqueFd space, netns::open(plan_.paths.switch_netns()));
  TRY(relay_, relay::Relay::start(space.get(),
                                  {.ring_fd = wires_->ring_fd(), .wakes_at = wires_->wakes_at()}));
  return {};
}

bool Links::delayed_by_relay(const Impairment& impairment) const {
  if (impairment.delay.count() == 0) return false;
  // netem's draws are its own: what a seed decides is the relay's, and so is what overtakes.
  return !has_netem_ || impairment.jitter.count() > 0 || impairment.reorder > 0;
}

Result<> Links::settle() {
  const std::lock_guard lock(mutex_);
  for (const plan::LinkView& view : plan::links(plan_)) {
    Link& link = state_of(view);
    if (view.wire) TRY_DO(settle_wire(*view.wire, link).during("link " + view.name()));
    if (view.wire || link.cut) TRY_DO(apply_carrier(view, link).during("link " + view.name()));
  }
  TRY_DO(wait_until_running());
  return severed_.empty() ? Result<>{} : sever();
}

void Links::forget_gone() {
  const std::lock_guard lock(mutex_);
  std::set<std::string> there;
  for (const plan::LinkView& view : plan::links(plan_)) there.insert(view.name());
  std::erase_if(links_, [&](const auto& entry) { return !there.contains(entry.first); });
}

// The kernel takes note of a new carrier by and by (net/core/link_watch.c), and drops what is sent
// by the link until then: the first packets of a lab would depend on it.
Result<> Links::wait_until_running() {
  if (raised_.empty()) return {};
  TRY(netlink::Socket * socket, in_switch());
  const Deadline deadline = after(kCarrierTime);
  while (!raised_.empty() && std::chrono::steady_clock::now() < deadline) {
    TRY(const auto devices, netlink::links(*socket));
    std::set<std::uint32_t> waiting;
    for (const netlink::Link& device : devices) {
      if (raised_.contains(device.index.value) && !device.running)
        waiting.insert(device.index.value);
    }
    raised_ = std::move(waiting);
    if (!raised_.empty()) std::this_thread::sleep_for(1ms);
  }
  raised_.clear();  // one that is not: its other end is down, as its user wants it
  return {};
}

Result<> Links::settle_wire(const plan::Wire& wire, Link& link) {
  TRY_DO(load());
  TRY(netlink::Socket * socket, in_switch());
  TRY(const IfIndex near, index_of(*socket, wire.near));
  TRY(const IfIndex far, index_of(*socket, wire.far));
  // The file of a lab that is deployed again may say something else.
  const bool changed = link.of_file != wire.impair || link.forward.key != wire.forward_key;
  if (changed) {
    link.of_file = wire.impair;
    link.forward.wanted = wire.impair.forward;
    link.forward.key = wire.forward_key;
    link.backward.wanted = wire.impair.backward;
    link.backward.key = wire.backward_key;
  }
  TRY_DO(settle_way(wire, link.forward, {near, far, &wire.near, &wire.a}));
  TRY_DO(settle_way(wire, link.backward, {far, near, &wire.far, &wire.b}));
  if (!changed) return {};
  TRY_DO(apply(wire, link.forward));
  return apply(wire, link.backward);
}

Result<> Links::settle_way(const plan::Wire& wire, Way& way, const Devices& devices) {
  if (way.from == devices.from && way.to == devices.to) return {};
  if (way.from.value != 0 && way.from != devices.from) {
    // The packets of a link are counted on through its members' power cuts.
    TRY(const auto past, wires_->state(way.from));
    if (past) way.past = *past;
    TRY_DO(wires_->remove(way.from));
    if (relay_) relay_->remove(way.from.value);
  }
  const bool arrives_anew = way.from != devices.from;
  way.from = devices.from;
  way.to = devices.to;
  if (arrives_anew && way.from.value != 0) {
    TRY_DO(wires_->begin(way.from, way.past));
    TRY_DO(attach(way.from, devices));
  }
  return apply(wire, way);
}

// Frames are single ones with their checksums in them from here on, whoever sends them.
Result<> Links::attach(IfIndex from, const Devices& devices) {
  TRY(const UniqueFd space, netns::open(plan_.paths.switch_netns()));
  TRY_DO(netns::run_in(space.get(), [&]() -> Result<> {
    TRY_DO(netlink::disable_offloads(*devices.name));
    return wires_->attach(from);
  }));
  const plan::End& sender = *devices.sender;
  TRY(const UniqueFd home, netns::open(sender.machine ? "/proc/self/ns/net" : sender.netns));
  return netns::run_in(home.get(), [&] { return netlink::disable_offloads(sender.interface); });
}

// The relay knows of new settings before the program does.
Result<> Links::apply(const plan::Wire& wire, Way& way) {
  if (way.from.value == 0 || way.to.value == 0) return {};  // when its devices are there again
  TRY(netlink::Socket * socket, in_switch());
  heddle_wire_settings settings = plan::wire_settings(way.wanted, way.key);
  settings.to = way.to.value;
  const bool relayed = delayed_by_relay(way.wanted);
  if (relayed) {
    TRY_DO(need_relay());
    settings.flags |= HEDDLE_WIRE_RELAYED;
    relay_->put(way.from.value, {.settings = settings, .limit = limit_of(way.wanted)});
  }
  netlink::Shape shape{.rate = way.wanted.rate, .mtu = wire.mtu, .limit = limit_of(way.wanted)};
  if (!relayed) shape.delay = way.wanted.delay;
  TRY_DO(netlink::put_shape(*socket, way.to, shape));
  return wires_->put(way.from, settings);
}

// Both devices of a wire; of another link its end in the switch namespace.
Result<> Links::apply_carrier(const plan::LinkView& view, Link& link) {
  const bool powered = !down_.contains(view.a->member) && !down_.contains(view.b->member);
  if (view.wire) {
    TRY(netlink::Socket * socket, in_switch());
    const IfIndex near = link.forward.from;
    const IfIndex far = link.forward.to;
    const bool up = powered && !link.cut && near.value != 0 && far.value != 0;
    for (const IfIndex device : {near, far}) {
      if (device.value == 0) continue;
      TRY_DO(set_up(*socket, device, up));
      if (up) raised_.insert(device.value);
    }
    return {};
  }
  const plan::End* port = !view.b->master.empty() ? view.b : view.a;
  if (port->master.empty())
    return fail(Errc::conflict, std::string("it cannot be cut") + kNothingBetween);
  TRY(netlink::Socket * socket, in_switch());
  TRY(const IfIndex index, index_of(*socket, port->interface));
  return index.value != 0 ? set_up(*socket, index, !link.cut) : Result<>{};
}

Result<> Links::member_down(const std::string& member) {
  const std::lock_guard lock(mutex_);
  down_.insert(member);
  for (const plan::LinkView& view : plan::links(plan_)) {
    if (view.wire && (view.a->member == member || view.b->member == member))
      TRY_DO(apply_carrier(view, state_of(view)).during("link " + view.name()));
  }
  return {};
}

void Links::member_up(const std::string& member) {
  const std::lock_guard lock(mutex_);
  down_.erase(member);
}

Result<> Links::set_cut(const std::string& name, bool cut) {
  const std::lock_guard lock(mutex_);
  TRY(const plan::LinkView view, plan::find_link(plan_, name));
  Link& link = state_of(view);
  if (link.cut == cut)
    return fail(Errc::conflict, "link " + view.name() + (cut ? " is cut already" : " is not cut"));
  link.cut = cut;
  auto done = apply_carrier(view, link);
  if (done) done = wait_until_running();
  if (!done) link.cut = !cut;
  return std::move(done).during((cut ? "cut link " : "mend link ") + view.name());
}

Result<> Links::cut(const std::string& name) {
  return set_cut(name, true);
}
Result<> Links::mend(const std::string& name) {
  return set_cut(name, false);
}

Result<> Links::impair(const std::string& name, const std::optional<Impairment>& forward,
                       const std::optional<Impairment>& backward) {
  const std::lock_guard lock(mutex_);
  TRY(const plan::LinkView view, plan::find_link(plan_, name));
  if (!view.wire)
    return fail(Errc::conflict, "link " + view.name() + " cannot be impaired" + kNothingBetween);
  for (const auto& wanted : {forward, backward}) {
    if (!wanted) continue;
    if (const auto wrong = format::find_contradiction(*wanted))
      return fail(Errc::invalid, std::string(wrong->key) + " " + wrong->text);
  }
  Link& link = state_of(view);
  const bool as_file = !forward && !backward;
  const auto change = [&](Way& way, const std::optional<Impairment>& wanted,
                          const Impairment& of_file) -> Result<> {
    if (!wanted && !as_file) return {};
    const Impairment before = std::exchange(way.wanted, wanted ? *wanted : of_file);
    auto done = apply(*view.wire, way);
    if (done) return {};
    way.wanted = before;
    (void)apply(*view.wire, way);
    return std::move(done).during("impair link " + view.name());
  };
  TRY_DO(change(link.forward, forward, view.wire->impair.forward));
  return change(link.backward, backward, view.wire->impair.backward);
}

Result<> Links::partition(const std::vector<control::Severed>& pairs) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> known;
  for (const plan::LinkView& view : plan::links(plan_)) {
    if (view.joins_underlay()) known.insert(view.a->member);
  }
  for (const control::Severed& pair : pairs) {
    for (const std::string& name : {pair.from, pair.to}) {
      if (!known.contains(name))
        return fail(Errc::not_found,
                    "partition: no host or node \"" + name.substr(0, 80) + "\" is on the underlay");
    }
  }
  if (pairs.empty() && severed_.empty()) return {};
  severed_ = pairs;
  return sever().during("partition");
}

Result<> Links::sever() {
  TRY_DO(load());
  TRY(netlink::Socket * socket, in_switch());
  TRY(const UniqueFd space, netns::open(plan_.paths.switch_netns()));
  std::map<std::string, IfIndex> ports;
  std::vector<IfIndex> fresh;
  TRY(const auto devices, netlink::links(*socket));
  for (const plan::LinkView& view : plan::links(plan_)) {
    if (!view.joins_underlay()) continue;
    const auto device = std::ranges::find(devices, view.b->interface, &netlink::Link::name);
    if (device == devices.end()) continue;  // its member is down
    ports[view.a->member] = device->index;
    if (sever_ports_.insert(device->index.value).second) fresh.push_back(device->index);
  }
  TRY_DO(netns::run_in(space.get(), [&]() -> Result<> {
    for (const IfIndex port : fresh) TRY_DO(wires_->attach_sever(port));
    return {};
  }));
  std::vector<bpf::Wires::Pair> pairs;
  for (const control::Severed& pair : severed_) {
    if (ports.contains(pair.from) && ports.contains(pair.to))
      pairs.emplace_back(ports[pair.from], ports[pair.to]);
  }
  return wires_->sever(pairs);
}

std::string Links::backend_of(const Impairment& impairment) const {
  std::string out;
  const auto say = [&](bool when, std::string_view what, std::string_view by) {
    if (when) out += (out.empty() ? "" : ", ") + std::string(what) + " by " + std::string(by);
  };
  say(impairment.loss > 0, "loss", "bpf");
  say(impairment.corrupt > 0, "corruption", "bpf");
  say(impairment.duplicate > 0, "duplication", "bpf");
  say(impairment.reorder > 0, "reordering", "bpf");
  say(impairment.rate > 0, "rate", "tbf");
  say(impairment.delay.count() > 0, "delay", delayed_by_relay(impairment) ? "relay" : "netem");
  return out;
}

std::string Links::backends_of(const Link& link) const {
  const std::string forward = backend_of(link.forward.wanted);
  const std::string backward = backend_of(link.backward.wanted);
  if (forward == backward || backward.empty()) return forward;
  if (forward.empty()) return "backward " + backward;
  return forward + "; backward " + backward;
}

control::WayStatus Links::status_of(const Way& way) const {
  control::WayStatus out{.impairment = way.wanted};
  if (!wires_ || way.from.value == 0) return out;
  const auto read = wires_->state(way.from);
  const heddle_wire_state state = read && *read ? **read : way.past;
  out.packets = state.next;
  out.lost = state.lost;
  out.corrupted = state.corrupted;
  out.duplicated = state.duplicated;
  out.reordered = state.reordered;
  if (relay_) out.overflowed = relay_->counts(way.from.value).dropped;
  return out;
}

std::vector<LinkStatus> Links::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<LinkStatus> out;
  for (const plan::LinkView& view : plan::links(plan_)) {
    LinkStatus status{.a = view.a->label, .b = view.b->label, .wire = view.wire != nullptr};
    const bool down = down_.contains(view.a->member) || down_.contains(view.b->member);
    status.state = down ? "down" : "up";
    if (const auto found = links_.find(view.name()); found != links_.end()) {
      const Link& link = found->second;
      if (link.cut) status.state = "cut";
      status.backend = backends_of(link);
      status.forward = status_of(link.forward);
      status.backward = status_of(link.backward);
    }
    out.push_back(std::move(status));
  }
  return out;
}

std::vector<std::string> Links::describe() const {
  std::vector<std::string> out;
  for (const LinkStatus& link : status()) {
    if (!link.backend.empty())
      out.push_back("link " + link.a + " - " + link.b + ": " + link.backend);
  }
  return out;
}

void Links::add_to(control::Fidelity& fidelity) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, link] : links_) {
    for (const Way* way : {&link.forward, &link.backward}) {
      if (!wires_ || way->from.value == 0) continue;
      if (const auto state = wires_->state(way->from); state && *state)
        fidelity.overrun += (*state)->overrun;
    }
  }
  if (!relay_) return;
  using std::chrono::ceil;
  using std::chrono::microseconds;
  const relay::Report report = relay_->report();
  fidelity.relay = true;
  fidelity.late_p50 = ceil<microseconds>(report.late.quantile(0.5));
  fidelity.late_p99 = ceil<microseconds>(report.late.quantile(0.99));
  fidelity.late_max = ceil<microseconds>(report.late.max());
  fidelity.relayed = report.sent;
  fidelity.realtime = report.realtime;
}

}  // namespace heddle::labd
