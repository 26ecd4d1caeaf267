#include "netd/cluster/registry.h"

#include <algorithm>

#include "common/observe/log.h"
#include "netd/api/codec.h"
#include "netd/cluster/records.pb.h"
#include "netd/identity/join_token.h"

namespace heddle::cluster {
namespace {

constexpr int kTries = 32;
constexpr std::size_t kMaxHostName = 253;  // RFC 1035, section 2.3.4, as text

const char* id_of(model::NodeRole role) {
  return role == model::NodeRole::manager ? "manager" : "worker";
}

store::Object token_object(model::NodeRole role, const Token& token) {
  return {kTokenKind, id_of(role), "", {}, token.SerializeAsString(), 0};
}

Result<Token> token_in(const Objects& objects, model::NodeRole role) {
  const auto found = objects.raw.find({kTokenKind, id_of(role)});
  Token token;
  if (found == objects.raw.end() || !token.ParseFromString(found->second.payload)) {
    return fail(Errc::internal, std::string("the swarm has no ") + id_of(role) + " token");
  }
  return token;
}

Result<const Stored<model::Node>*> find_node(const Objects& objects, const model::Id& id) {
  const auto found = objects.nodes.find(id);
  if (found != objects.nodes.end()) return &found->second;
  return fail(Errc::denied, "node " + id +
                                " is not in the swarm, or was removed from it; "
                                "leave and join again");
}

Result<> check_newcomer(const Objects& objects, const model::Node& node) {
  for (const auto& [id, other] : objects.nodes) {
    if (id == node.id) continue;
    if (other.value.name == node.name) {
      return fail(Errc::conflict, "the swarm has a node named '" + node.name + "' already (" + id +
                                      "); remove it there, or change this host's name");
    }
    if (other.value.data_address == node.data_address) {
      return fail(Errc::conflict, "the data address " + node.data_address.format() + " is node '" +
                                      other.value.name +
                                      "'s; give another with "
                                      "--data-path-addr");
    }
  }
  return {};
}

// A node that says where it is now keeps its identity. A manager's own address is fixed: nodes have
// it on their disks, and etcd in its list of members.
void move_node(const Objects& objects, const NodeAddresses& to, model::Node& node) {
  model::Node moved = node;
  if (to.own && node.role == model::NodeRole::worker) moved.address = *to.own;
  if (to.data) moved.data_address = *to.data;
  if (moved == node) return;
  if (const auto good = check_newcomer(objects, moved); !good) {
    log_warn("address_refused", {{"node", node.name}, {"error", good.error()}});
  } else {
    node = std::move(moved);
  }
}

// Takes a manager out of the draft's managers. Two that go at once see each other by the guard.
Result<> spare_manager(const Objects& objects, const model::Id& node, Draft& draft) {
  draft.expect(kUseKind, kManagersGuard);
  draft.touch(kUseKind, kManagersGuard);
  for (const auto& [id, other] : objects.nodes) {
    if (id != node && other.value.role == model::NodeRole::manager) return {};
  }
  return fail(Errc::in_use,
              "it is the swarm's last manager; make another one first, with `heddle node promote`");
}

}  // namespace

Result<> check_node_name(const std::string& name) {
  bool good = !name.empty() && name.size() <= kMaxHostName;
  for (const unsigned char c : name) {
    good = good && (std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_');
  }
  if (good) return {};
  return fail(Errc::invalid, "the host name '" + name.substr(0, 80) +
                                 "' is no name for a node: it must be 1 to 253 letters, digits, "
                                 "'-', '.' and '_'");
}

Result<store::Revision> Registry::transact(const Fill& fill, Deadline deadline) {
  for (int tries = 0; tries < kTries; ++tries) {
    store::Transaction transaction;
    store::Revision seen = 0;
    Result<> filled;
    replica_.read([&](const Objects& objects) {
      Draft draft(objects);
      filled = fill(objects, draft);
      seen = objects.revision;
      if (filled && !draft.empty()) transaction = std::move(draft).build();
    });
    if (!filled) return std::unexpected(std::move(filled).error());
    if (transaction.puts.empty() && transaction.deletes.empty()) return seen;
    auto committed = store_.commit(transaction, deadline);
    if (committed) {
      // The next call must see it. A copy that lags is no failure: what is made from it conflicts.
      (void)replica_.wait_for(*committed, deadline).has_value();
      return committed;
    }
    if (committed.error().code() != Errc::conflict) return committed;
    TRY_DO(replica_.catch_up(deadline));
  }
  return fail(Errc::unavailable, "the swarm's state is being changed too often; try again");
}

Result<> Registry::found(store::Store& store, const model::Swarm& swarm, const model::Node& first,
                         const std::string& key_digest, Deadline deadline) {
  Token worker;
  worker.set_secret(identity::make_secret());
  Token manager;
  manager.set_secret(identity::make_secret());
  store::Transaction founding;
  founding.puts = {{kSwarmKind, "swarm", "", {}, api::encode(swarm), 0},
                   node_object(first, {{kKeyLabel, key_digest}}),
                   token_object(model::NodeRole::worker, worker),
                   token_object(model::NodeRole::manager, manager)};
  for (const store::Object& object : founding.puts) {
    founding.compares.push_back({{object.kind, object.id}, 0});
  }
  TRY_DO(store.commit(founding, deadline));
  return {};
}

Result<model::Node> Registry::admit(Admission admission, Deadline deadline) {
  model::Node node = admission.node;
  node.joined = std::chrono::floor<std::chrono::seconds>(clock_.wall());
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        TRY_DO(check_newcomer(objects, node));
        const auto known = objects.nodes.find(node.id);
        if (known != objects.nodes.end()) {
          const auto label = known->second.labels.find(kKeyLabel);
          if (label == known->second.labels.end() || label->second != admission.key_digest) {
            return fail(Errc::conflict, "node id " + node.id + " belongs to another node");
          }
          node.joined = known->second.value.joined;
          // A join whose answer was lost changes nothing that people said of the node.
          node.role = known->second.value.role;
          node.availability = known->second.value.availability;
          node.labels = known->second.value.labels;
        }
        draft.put(node_object(node, {{kKeyLabel, admission.key_digest}}));
        return {};
      },
      deadline));
  return node;
}

Result<model::Node> Registry::find(const model::Id& node) const {
  Result<model::Node> found = fail(Errc::not_found, "the swarm has no node " + node);
  replica_.read([&](const Objects& objects) {
    const auto known = objects.nodes.find(node);
    if (known != objects.nodes.end()) found = known->second.value;
  });
  return found;
}

Result<> Registry::remove_node(model::Id node, Deadline deadline) {
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        const auto known = objects.nodes.find(node);
        if (known == objects.nodes.end()) return {};
        if (known->second.value.role == model::NodeRole::manager) {
          TRY_DO(spare_manager(objects, node, draft));
        }
        const auto now = std::chrono::floor<std::chrono::seconds>(clock_.wall());
        (void)draft_report(objects, node, {0, {}, {}, Whole::yes}, now, draft);
        for (const auto& [id, block] : objects.blocks) {
          if (block.value.node == node) draft.remove(kBlockKind, id);
        }
        draft.remove(kNodeKind, node);
        return {};
      },
      deadline));
  return {};
}

Result<model::Node> Registry::set_role(model::Id node, model::NodeRole role, Deadline deadline) {
  model::Node changed;
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        const auto known = objects.nodes.find(node);
        if (known == objects.nodes.end()) return fail(Errc::not_found, "no node " + node);
        changed = known->second.value;
        if (changed.role == role) return {};
        if (role == model::NodeRole::worker) TRY_DO(spare_manager(objects, node, draft));
        changed.role = role;
        draft.put(node_object(changed, known->second.labels));
        return {};
      },
      deadline));
  return changed;
}

Result<model::Node> Registry::update_node(model::Id node, Cluster::NodeChange change,
                                          Deadline deadline) {
  model::Node changed;
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        const auto known = objects.nodes.find(node);
        if (known == objects.nodes.end()) return fail(Errc::not_found, "no node " + node);
        changed = known->second.value;
        if (change.availability) changed.availability = *change.availability;
        change_labels(changed.labels, change.labels, change.removed_labels);
        if (changed != known->second.value) draft.put(node_object(changed, known->second.labels));
        return {};
      },
      deadline));
  return changed;
}

Result<> Registry::make_sole_manager(model::Id node, Deadline deadline) {
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        for (const auto& [id, each] : objects.nodes) {
          if (id == node || each.value.role != model::NodeRole::manager) continue;
          model::Node other = each.value;
          other.role = model::NodeRole::worker;
          draft.put(node_object(other, each.labels));
        }
        return {};
      },
      deadline));
  return {};
}

Result<Registry::Outcome> Registry::begin_session(model::Id node, std::string session,
                                                  std::optional<Report> report, Deadline deadline) {
  Outcome outcome;
  TRY(outcome.revision, transact(
                            [&](const Objects& objects, Draft& draft) -> Result<> {
                              TRY(const auto* known, find_node(objects, node));
                              const auto now =
                                  std::chrono::floor<std::chrono::seconds>(clock_.wall());
                              model::Node fresh = known->value;
                              if (report) {
                                outcome.refused = draft_report(objects, node, *report, now, draft);
                                fresh.epoch = report->epoch;
                                move_node(objects, report->addresses, fresh);
                              }
                              fresh.status = model::NodeStatus::ready;
                              model::Labels labels = known->labels;
                              labels[kSessionLabel] = session;
                              draft.put(node_object(fresh, std::move(labels)));
                              return {};
                            },
                            deadline));
  return outcome;
}

Result<Registry::Outcome> Registry::report(model::Id node, Report changes, Deadline deadline) {
  Outcome outcome;
  TRY(outcome.revision, transact(
                            [&](const Objects& objects, Draft& draft) -> Result<> {
                              TRY(const auto* known, find_node(objects, node));
                              const auto now =
                                  std::chrono::floor<std::chrono::seconds>(clock_.wall());
                              outcome.refused = draft_report(objects, node, changes, now, draft);
                              model::Node fresh = known->value;
                              fresh.epoch = changes.epoch;
                              move_node(objects, changes.addresses, fresh);
                              if (fresh == known->value) {
                                // A node that is being removed must not leave endpoints behind.
                                if (!draft.empty()) draft.expect(kNodeKind, node);
                                return {};
                              }
                              draft.put(node_object(fresh, known->labels));
                              return {};
                            },
                            deadline));
  return outcome;
}

Result<> Registry::end_session(model::Id node, std::string session, Deadline deadline) {
  TRY_DO(transact(
      [&](const Objects& objects, Draft& draft) -> Result<> {
        const auto known = objects.nodes.find(node);
        if (known == objects.nodes.end()) return {};
        const auto label = known->second.labels.find(kSessionLabel);
        if (label == known->second.labels.end() || label->second != session) return {};
        model::Node down = known->second.value;
        down.status = model::NodeStatus::down;
        model::Labels labels = known->second.labels;
        labels.erase(kSessionLabel);
        draft.put(node_object(down, std::move(labels)));
        return {};
      },
      deadline));
  return {};
}

Result<std::string> Registry::token_secret(model::NodeRole role, Deadline deadline) {
  TRY_DO(replica_.catch_up(deadline));
  Result<Token> token = fail(Errc::internal, "");
  replica_.read([&](const Objects& objects) { token = token_in(objects, role); });
  if (!token) return std::unexpected(std::move(token).error());
  return token->secret();
}

Result<std::string> Registry::rotate_token(model::NodeRole role,
                                           std::optional<std::chrono::seconds> ttl,
                                           Deadline deadline) {
  Token token;
  token.set_secret(identity::make_secret());
  if (ttl) token.set_expires(std::chrono::system_clock::to_time_t(clock_.wall() + *ttl));
  TRY_DO(transact(
      [&](const Objects&, Draft& draft) -> Result<> {
        draft.put(token_object(role, token));
        return {};
      },
      deadline));
  return token.secret();
}

Result<model::NodeRole> Registry::check_secret(const std::string& secret, Deadline deadline) {
  TRY_DO(replica_.catch_up(deadline));  // a rotation by another manager counts at once
  Result<model::NodeRole> role =
      fail(Errc::denied,
           "the join token is wrong or was rotated; ask a manager for the present one "
           "with `heddle swarm join-token worker`");
  replica_.read([&](const Objects& objects) {
    for (const auto each : {model::NodeRole::worker, model::NodeRole::manager}) {
      const auto token = token_in(objects, each);
      if (!token || !identity::secrets_match(token->secret(), secret)) continue;
      role = each;
      const auto now = std::chrono::system_clock::to_time_t(clock_.wall());
      if (token->expires() != 0 && token->expires() <= now) {
        role = fail(Errc::denied,
                    "the join token has expired; a manager makes a new one with "
                    "`heddle swarm join-token --rotate worker`");
      }
    }
  });
  return role;
}

}  // namespace heddle::cluster
