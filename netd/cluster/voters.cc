#include "netd/cluster/voters.h"

#include <algorithm>

#include "common/observe/log.h"
#include "netd/api/codec.h"
#include "netd/cluster/manager_health.h"

namespace heddle::cluster {
namespace {

using std::chrono::steady_clock;
using Member = store::EtcdMembers::Member;

constexpr std::chrono::milliseconds kLookEvery{500};
constexpr std::chrono::milliseconds kLookTime{400};  // etcd's answer of its own state
constexpr std::chrono::seconds kMemberChangeTime{5};
constexpr std::chrono::seconds kAskEvery{2};
constexpr std::chrono::seconds kAskTime{1};
// After which the sessions of a manager that does not answer are over: what its nodes get to find
// another one.
constexpr std::chrono::seconds kOrphanedAfter{5};

std::string node_name_in(const std::vector<model::Node>& nodes, const model::Id& id) {
  const auto found = std::ranges::find(nodes, id, &model::Node::id);
  return found == nodes.end() ? id : found->name;
}

std::string comma_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Whose member it is. One that has not come up yet has no name, but its node's address.
const model::Node* owner_of(const Member& member, const std::vector<model::Node>& nodes) {
  for (const model::Node& node : nodes) {
    const bool fits =
        member.name.empty() ? member.peer_url == peer_url(node.address) : member.name == node.id;
    if (fits) return &node;
  }
  return nullptr;
}

// Who of `wanted` does not answer as it should, by name.
std::vector<std::string> silent_among(const std::vector<model::Id>& wanted,
                                      const std::vector<ManagerHealth>& answers,
                                      const std::vector<model::Node>& nodes) {
  std::vector<std::string> names;
  for (const model::Id& id : wanted) {
    const auto found = std::ranges::find(answers, id, &ManagerHealth::node);
    if (found == answers.end() || !found->good()) names.push_back(node_name_in(nodes, id));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::string peer_url(const IpAddr& address) {
  return "https://" + SocketAddr{address, kEtcdPeerPort}.format();
}

Voters::Voters(Settings settings, store::EtcdMembers& members, store::Store& store,
               Registry& registry, const Replica& replica)
    : settings_(std::move(settings)),
      members_(members),
      store_(store),
      registry_(registry),
      replica_(replica),
      led_(steady_clock::now()),
      thread_([this] { run(); }) {}

Voters::~Voters() {
  stop();
  thread_.join();
}

void Voters::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  stop_.notify_all();
}

store::EtcdMembers::Status Voters::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

steady_clock::duration Voters::lost_for() const {
  const std::lock_guard lock(mutex_);
  return status_.leader != 0 ? steady_clock::duration::zero() : steady_clock::now() - led_;
}

std::vector<model::Node> Voters::nodes() const {
  std::vector<model::Node> nodes;
  replica_.read([&](const Objects& objects) {
    for (const auto& [id, node] : objects.nodes) nodes.push_back(node.value);
  });
  return nodes;
}

void Voters::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    look();
    lead();
    lock.lock();
    stop_.wait_for(lock, kLookEvery, [&] { return stopping_; });
  }
}

void Voters::look() {
  const auto status = members_.status(after(kLookTime));
  const std::lock_guard lock(mutex_);
  status_ = status.value_or(store::EtcdMembers::Status{status_.self, 0, status_.learner});
  const bool led = status_.leader != 0;
  if (led) led_ = steady_clock::now();
  if (led == had_leader_) return;
  had_leader_ = led;
  if (led) {
    log_info("quorum_back");
  } else {
    log_warn("quorum_lost",
             {{"lost", "changes of the swarm, until a majority of its managers runs"},
              {"error", status ? std::string("etcd knows no leader") : status.error().text()}});
  }
}

void Voters::lead() {
  const auto now = status();
  if (now.leader == 0 || now.leader != now.self) {
    answered_.clear();
    return;
  }
  if (const auto members = members_.list(after(kLookTime))) settle(*members);
  if (steady_clock::now() < next_ask_) return;
  next_ask_ = steady_clock::now() + kAskEvery;
  end_orphaned_sessions();
}

void Voters::settle(const Members& members) {
  std::vector<model::Node> known = nodes();
  const auto is_wanted = [&](const Member& member) {
    const model::Node* owner = owner_of(member, known);
    return owner != nullptr && owner->role == model::NodeRole::manager;
  };
  for (const Member& member : members) {
    if (is_wanted(member) && member.learner && !member.name.empty()) {
      // Refused until it has caught up; then it is asked again.
      if (members_.promote(member.id, after(kLookTime))) {
        log_info("manager_votes", {{"node", member.name}});
      }
    }
  }
  if (std::ranges::all_of(members, is_wanted)) return;
  // The copy may lag; the store itself does not.
  const auto listed = store_.list(kNodeKind, after(kMemberChangeTime));
  if (!listed) return;
  known.clear();
  for (const store::Object& object : listed->objects) {
    if (auto node = api::decode<model::Node>(object.payload)) known.push_back(*std::move(node));
  }
  for (const Member& member : members) {
    if (!is_wanted(member)) return take_out(member, members);  // one at a time
  }
}

// etcd's own check (--strict-reconfig-check) wants members to have been connected for five seconds;
// this one asks how they are now.
void Voters::take_out(const Member& member, const Members& members) {
  if (members.size() == 1) return;
  const auto self = status().self;
  Result<> done = member.learner ? Result<>() : check_spare(member.name, after(kMemberChangeTime));
  if (done && member.id == self) {
    for (const Member& heir : members) {
      if (heir.id == self || heir.learner) continue;
      if (members_.move_leader(heir.id, after(kMemberChangeTime))) return;
    }
  } else if (done) {
    done = members_.remove(member.id, after(kMemberChangeTime));
    if (done) log_info("manager_taken_out", {{"node", member.name}});
  }
  const std::string trouble = done ? "" : done.error().text();
  if (!done && trouble != trouble_) {
    log_warn("manager_not_taken_out", {{"node", member.name}, {"error", done.error()}});
  }
  trouble_ = trouble;
}

void Voters::end_orphaned_sessions() {
  std::vector<ManagerAddress> managers = managers_among(nodes());
  std::erase_if(managers, [&](const auto& each) { return each.node == settings_.self; });
  const auto answers = ask_managers(managers, settings_.credentials, after(kAskTime));
  const auto now = steady_clock::now();
  for (const ManagerHealth& each : answers) answered_[each.node] = now;
  std::vector<std::pair<model::Id, std::string>> orphaned;
  replica_.read([&](const Objects& objects) {
    for (const auto& [id, node] : objects.nodes) {
      const auto label = node.labels.find(kSessionLabel);
      if (label == node.labels.end()) continue;
      const model::Id host = label->second.substr(0, label->second.find('-'));
      if (host == settings_.self) continue;
      const auto [seen, fresh] = answered_.try_emplace(host, now);
      if (now - seen->second > kOrphanedAfter) orphaned.emplace_back(id, label->second);
    }
  });
  for (const auto& [node, session] : orphaned) {
    if (!registry_.end_session(node, session, after(kAskTime))) return;
  }
}

// An address that a node gives must not cost another manager its place.
Result<> Voters::check_not_anothers(const Member& member, const model::Node& node) const {
  if (member.name.empty() || member.name == node.id) return {};
  const auto other = registry_.find(member.name);
  if (!other || other->role != model::NodeRole::manager) return {};
  return fail(Errc::conflict, "the address " + node.address.format() + " is manager '" +
                                  other->name + "'s; give another with --advertise-addr");
}

Result<std::string> Voters::admit(const model::Node& node, Deadline deadline) {
  const std::string url = peer_url(node.address);
  TRY(Members members, members_.list(deadline));
  const auto place = [&]() -> const Member* {
    const auto found = std::ranges::find_if(
        members, [&](const Member& each) { return each.peer_url == url || each.name == node.id; });
    return found == members.end() ? nullptr : &*found;
  };
  // What it was before it has forgotten, or it would not ask.
  for (const Member* old = place(); old != nullptr; old = place()) {
    if (old->name.empty() && old->learner && old->peer_url == url) break;
    TRY_DO(check_not_anothers(*old, node));
    TRY_DO(members_.remove(old->id, deadline));
    TRY(members, members_.list(deadline));
  }
  if (place() == nullptr) {
    auto added = members_.add_learner(url, deadline);
    if (!added) {
      return fail(Errc::unavailable, "the managers cannot take another one yet: " +
                                         explain(std::move(added).error()).text());
    }
    members = *std::move(added);
  }
  const std::vector<model::Node> known = nodes();
  std::string cluster;
  for (const Member& each : members) {
    const model::Node* owner = owner_of(each, known);
    const std::string& name = each.peer_url == url                    ? node.id
                              : each.name.empty() && owner != nullptr ? owner->id
                                                                      : each.name;
    cluster += (cluster.empty() ? "" : ",") + name + "=" + each.peer_url;
  }
  return cluster;
}

Result<> Voters::check_spare(const model::Id& node, Deadline deadline) const {
  TRY(const Members members, members_.list(deadline));
  const std::vector<model::Node> known = nodes();
  std::vector<model::Id> left;
  for (const Member& each : members) {
    if (!each.learner && each.name != node) left.push_back(each.name);
  }
  if (left.empty()) {
    return fail(Errc::in_use, node_name_in(known, node) +
                                  " is the swarm's last manager; make another one first, with "
                                  "`heddle node promote`");
  }
  std::vector<ManagerAddress> asked;  // one that is to be taken out next votes as long as it is in
  for (const model::Node& each : known) {
    if (std::ranges::find(left, each.id) != left.end()) asked.push_back(address_of(each));
  }
  const auto answers =
      ask_managers(asked, settings_.credentials, std::min(deadline, after(kAskTime)));
  const auto silent = silent_among(left, answers, known);
  if (2 * (left.size() - silent.size()) > left.size()) return {};
  return fail(Errc::in_use,
              "without " + node_name_in(known, node) + " the swarm loses its quorum: of the " +
                  std::to_string(left.size()) + " managers that are left, " + comma_list(silent) +
                  " would be missing; start it again, or, if it is lost, take it out first with "
                  "`heddle node rm --force`");
}

Result<bool> Voters::is_member(const model::Id& node, Deadline deadline) const {
  TRY(const Members members, members_.list(deadline));
  return std::ranges::find(members, node, &Member::name) != members.end();
}

Result<> Voters::wait_until(const model::Id& node, Becomes becomes, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto members = members_.list(std::min(deadline, after(kLookTime)));
    lock.lock();
    if (members) {
      const auto found = std::ranges::find(*members, node, &Member::name);
      const bool votes = found != members->end() && !found->learner;
      const bool absent = found == members->end();
      if (becomes == Becomes::voter ? votes : absent) return {};
    }
    if (steady_clock::now() >= deadline) break;
    stop_.wait_for(lock, std::chrono::milliseconds(100), [&] { return stopping_; });
  }
  if (stopping_) {
    return fail(Errc::unavailable, "this node stopped being a manager meanwhile; ask another one");
  }
  return fail(Errc::timeout,
              becomes == Becomes::voter
                  ? "the node does not act as a manager yet; it goes on trying, its "
                    "log says why"
                  : "the manager is not taken out of etcd yet; it goes on by itself");
}

Error Voters::explain(Error error) const {
  const bool fits = error.code() == Errc::unavailable || error.code() == Errc::timeout;
  if (!fits || status().leader != 0) return error;
  const std::vector<model::Node> known = nodes();
  std::vector<model::Id> managers;
  for (const ManagerAddress& each : managers_among(known)) managers.push_back(each.node);
  auto asked = managers_among(known);
  std::erase_if(asked, [&](const auto& each) { return each.node == settings_.self; });
  auto answers = ask_managers(asked, settings_.credentials, after(kAskTime));
  // Each is without a leader: who answers at all is there.
  for (ManagerHealth& each : answers) each = {each.node, 1, 1, true};
  answers.push_back({settings_.self, 1, 1, true});
  const auto silent = silent_among(managers, answers, known);
  if (2 * silent.size() < managers.size()) {
    return std::move(error).during("the managers elect a leader; try again");
  }
  return {Errc::unavailable,
          "the swarm has lost its quorum: of its " + std::to_string(managers.size()) +
              " managers " + comma_list(silent) + (silent.size() == 1 ? " does" : " do") +
              " not answer. What runs goes on, but nothing of the swarm can be changed until a "
              "majority answers: start them again. If they are lost for good, `heddle swarm init "
              "--force-new-cluster` here goes on with this manager alone (" +
              error.text() + ")"};
}

}  // namespace heddle::cluster
