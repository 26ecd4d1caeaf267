#include "topologies/labd/links.h"

#include <algorithm>
#include <cmath>

#include "dataplane/netlink/link.h"
#include "dataplane/netns/netns.h"

namespace heddle::labd {
namespace {

using control::LinkStatus;
using format::Impairment;

constexpr IfIndex kLoopback{1};  // of the switch namespace: a device to try qdiscs on

std::uint64_t threshold(double share) {
  return static_cast<std::uint64_t>(std::llround(share * static_cast<double>(HEDDLE_WIRE_ALWAYS)));
}

heddle_wire_settings settings_of(const Impairment& impairment, std::uint64_t key, IfIndex to) {
  heddle_wire_settings out{};
  out.key = key;
  out.to = to.value;
  // A burst ends with chance 1/mean before each packet; it begins so often that the share is right.
  const double ends = 1 / impairment.loss_burst;
  const bool bursts = impairment.loss_burst > 1;
  out.loss_after_loss = threshold(bursts ? 1 - ends : impairment.loss);
  out.loss_after_arrival =
      threshold(bursts ? impairment.loss * ends / (1 - impairment.loss) : impairment.loss);
  out.corrupt = threshold(impairment.corrupt);
  out.duplicate = threshold(impairment.duplicate);
  out.reorder = threshold(impairment.reorder);
  out.delay_ns = static_cast<std::uint64_t>(impairment.delay.count()) * 1000;
  out.jitter_ns = static_cast<std::uint64_t>(impairment.jitter.count()) * 1000;
  switch (impairment.distribution) {
    case format::Distribution::uniform:
      out.spread = HEDDLE_WIRE_UNIFORM;
      break;
    case format::Distribution::normal:
      out.spread = HEDDLE_WIRE_NORMAL;
      break;
    case format::Distribution::pareto:
      out.spread = HEDDLE_WIRE_PARETO;
      break;
  }
  return out;
}

std::uint32_t limit_of(const Impairment& impairment) {
  return impairment.limit ? impairment.limit : format::kWaiting;
}

bool is_switch_port(const plan::End& end) {
  return end.member.empty() && !end.machine;
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

// The devices of a wire; 0: not there.
struct Links::Ends {
  IfIndex from;
  IfIndex to;
};

Links::Link& Links::state_of(const plan::Veth& veth) {
  const auto [at, is_new] = links_.try_emplace(veth.name());
  if (is_new && veth.wire) {
    at->second.forward = {.wanted = veth.wire->impair.forward, .key = veth.wire->forward_key};
    at->second.backward = {.wanted = veth.wire->impair.backward, .key = veth.wire->backward_key};
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
  for (const plan::Veth& veth : plan_.veths) {
    Link& link = state_of(veth);
    if (veth.wire) {
      TRY_DO(settle_wire(veth, link).during("link " + veth.name()));
    } else if (link.cut) {
      TRY_DO(set_port(veth, false).during("link " + veth.name()));
    }
  }
  return severed_.empty() ? Result<>{} : sever();
}

Result<> Links::settle_wire(const plan::Veth& veth, Link& link) {
  TRY_DO(load());
  TRY(netlink::Socket * socket, in_switch());
  TRY(const IfIndex near, index_of(*socket, veth.wire->near));
  TRY(const IfIndex far, index_of(*socket, veth.wire->far));
  TRY_DO(settle_way(veth, link.forward, {near, far}));
  TRY_DO(settle_way(veth, link.backward, {far, near}));
  return set_carrier(veth, link);
}

Result<> Links::settle_way(const plan::Veth& veth, Way& way, const Ends& ends) {
  if (way.from == ends.from && way.to == ends.to) return {};
  if (way.from.value != 0 && way.from != ends.from) {
    // The packets of a link are counted through its members' power cuts.
    TRY(const auto past, wires_->state(way.from));
    if (past) way.past = *past;
    TRY_DO(wires_->remove(way.from));
    if (relay_) relay_->remove(way.from.value);
  }
  const bool arrives_anew = way.from != ends.from;
  way.from = ends.from;
  way.to = ends.to;
  if (way.from.value == 0 || way.to.value == 0) return {};
  if (arrives_anew) {
    TRY_DO(wires_->begin(way.from, way.past));
    TRY(const UniqueFd space, netns::open(plan_.paths.switch_netns()));
    TRY_DO(netns::run_in(space.get(), [&] { return wires_->attach(way.from); }));
  }
  return apply(veth, way);
}

// Settings before the relay's: a packet that comes with new settings finds its delay there.
Result<> Links::apply(const plan::Veth& veth, Way& way) {
  if (way.from.value == 0 || way.to.value == 0) return {};  // when its devices are there again
  TRY(netlink::Socket * socket, in_switch());
  heddle_wire_settings settings = settings_of(way.wanted, way.key, way.to);
  const bool relayed = delayed_by_relay(way.wanted);
  if (relayed) {
    TRY_DO(need_relay());
    settings.flags |= HEDDLE_WIRE_RELAYED;
    relay_->put(way.from.value, {.settings = settings, .limit = limit_of(way.wanted)});
  }
  netlink::Shape shape{.rate = way.wanted.rate, .mtu = veth.mtu, .limit = limit_of(way.wanted)};
  if (!relayed) shape.delay = way.wanted.delay;
  TRY_DO(netlink::put_shape(*socket, way.to, shape));
  return wires_->put(way.from, settings);
}

Result<> Links::set_carrier(const plan::Veth& veth, Link& link) {
  TRY(netlink::Socket * socket, in_switch());
  const bool whole = link.forward.from.value != 0 && link.forward.to.value != 0;
  const bool powered = !down_.contains(veth.a.member) && !down_.contains(veth.b.member);
  const bool up = whole && powered && !link.cut;
  for (const IfIndex device : {link.forward.from, link.forward.to}) {
    if (device.value != 0) TRY_DO(set_up(*socket, device, up));
  }
  link.carrier = up;
  return {};
}

// Of a link without a wire: its end in the switch namespace.
Result<> Links::set_port(const plan::Veth& veth, bool up) {
  const plan::End& port = is_switch_port(veth.b) ? veth.b : veth.a;
  if (!is_switch_port(port))
    return fail(Errc::unsupported, "link " + veth.name() +
                                       " cannot be cut: it has nothing between its ends; give it "
                                       "`impair: {}` in the lab's file");
  TRY(netlink::Socket * socket, in_switch());
  TRY(const IfIndex index, index_of(*socket, port.interface));
  return index.value ? set_up(*socket, index, up) : Result<>{};
}

void Links::member_down(const std::string& member) {
  const std::lock_guard lock(mutex_);
  down_.insert(member);
}
void Links::member_up(const std::string& member) {
  const std::lock_guard lock(mutex_);
  down_.erase(member);
}

Result<Links::Link*> Links::find(const std::string& name, const plan::Veth** veth) {
  TRY(*veth, plan::find_link(plan_, name));
  return &state_of(**veth);
}

Result<> Links::cut(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const plan::Veth* veth = nullptr;
  TRY(Link * link, find(name, &veth));
  if (link->cut) return fail(Errc::conflict, "link " + veth->name() + " is cut already");
  link->cut = true;
  auto done = veth->wire ? set_carrier(*veth, *link) : set_port(*veth, false);
  if (!done) link->cut = false;
  return std::move(done).during("cut " + name);
}

Result<> Links::mend(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const plan::Veth* veth = nullptr;
  TRY(Link * link, find(name, &veth));
  if (!link->cut) return fail(Errc::conflict, "link " + veth->name() + " is not cut");
  link->cut = false;
  auto done = veth->wire ? set_carrier(*veth, *link) : set_port(*veth, true);
  if (!done) link->cut = true;
  return std::move(done).during("mend " + name);
}

Result<> Links::impair(const std::string& name, const std::optional<Impairment>& forward,
                       const std::optional<Impairment>& backward) {
  const std::lock_guard lock(mutex_);
  const plan::Veth* veth = nullptr;
  TRY(Link * link, find(name, &veth));
  if (!veth->wire)
    return fail(Errc::unsupported, "link " + veth->name() +
                                       " cannot be impaired: it has nothing between its ends; give "
                                       "it `impair: {}` in the lab's file");
  for (const auto& wanted : {forward, backward}) {
    if (!wanted) continue;
    if (const auto wrong = format::find_contradiction(*wanted))
      return fail(Errc::invalid, std::string(wrong->key) + " " + wrong->text);
  }
  const bool as_file = !forward && !backward;
  const auto change = [&](Way& way, const std::optional<Impairment>& wanted,
                          const Impairment& of_file) -> Result<> {
    if (!wanted && !as_file) return {};
    const Impairment before = std::exchange(way.wanted, wanted ? *wanted : of_file);
    auto done = apply(*veth, way);
    if (!done) {
      way.wanted = before;
      (void)apply(*veth, way);
    }
    return done;
  };
  TRY_DO(change(link->forward, forward, veth->wire->impair.forward).during("impair " + name));
  return change(link->backward, backward, veth->wire->impair.backward).during("impair " + name);
}

Result<> Links::partition(const std::vector<control::Severed>& pairs) {
  const std::lock_guard lock(mutex_);
  std::set<std::string> known;
  for (const plan::Veth& veth : plan_.veths) {
    if (plan::joins_underlay(veth)) known.insert(veth.a.member);
  }
  for (const control::Severed& pair : pairs) {
    for (const std::string& name : {pair.from, pair.to}) {
      if (!known.contains(name))
        return fail(Errc::not_found, "partition: no host or node \"" + name.substr(0, 80) +
                                         "\" is on the underlay");
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
  for (const plan::Veth& veth : plan_.veths) {
    if (!plan::joins_underlay(veth)) continue;
    const auto device = std::ranges::find(devices, veth.b.interface, &netlink::Link::name);
    if (device == devices.end()) continue;  // its member is down
    ports[veth.a.member] = device->index;
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
    if (when)
      out += (out.empty() ? "" : ", ") + std::string(what) + " by " + std::string(by);
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
  const heddle_wire_state state =
      read && *read ? **read : way.past;
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
  for (const plan::Veth& veth : plan_.veths) {
    LinkStatus status{.a = veth.a.label, .b = veth.b.label, .wire = veth.wire.has_value()};
    const bool down = down_.contains(veth.a.member) || down_.contains(veth.b.member);
    status.state = down ? "down" : "up";
    if (const auto found = links_.find(veth.name()); found != links_.end()) {
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
