#include <algorithm>
#include <map>

#include "netd/store/etcd_client.h"
#include "netd/store/record.h"

namespace heddle::store {
namespace {

using etcdserverpb::KeyValue;
using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;
using etcdserverpb::TxnResponse;

constexpr std::int64_t kPage = 512;  // objects a page of a listing
constexpr int kTries = 32;           // of a transaction that only our own guards made fail

// What is stored at a key that a transaction writes; revision 0: nothing.
struct Current {
  Revision revision = 0;
  std::string name;
};
using Name = std::pair<std::string, std::string>;  // kind, name

Result<> check_time_for_etcd(Deadline deadline) {
  if (std::chrono::steady_clock::now() < deadline) return {};
  return fail(Errc::timeout, "no time was left to ask etcd");
}

// Makes one etcd transaction of one of ours. Beside what the caller compares, it guards what was
// read of the objects written, since their names are given up or kept by what they were.
class Swap {
 public:
  Swap(const EtcdKeys& keys, const Transaction& wanted, const std::map<Key, Current>& current)
      : keys_(keys), wanted_(wanted), current_(current) {}

  TxnRequest build();
  // Why it failed. Absent: only a guard did, so reading and trying again is right.
  std::optional<Error> explain(const TxnResponse& response) const;

 private:
  Current current(const Key& key) const {
    const auto found = current_.find(key);
    return found == current_.end() ? Current{} : found->second;
  }
  void compare(const std::string& key, Revision revision);
  void add_names();
  void add_failure(const std::string& key);

  const EtcdKeys& keys_;
  const Transaction& wanted_;
  const std::map<Key, Current>& current_;
  std::vector<Name> taken_;  // names that must be free
  TxnRequest request_;
};

void Swap::compare(const std::string& key, Revision revision) {
  auto& compare = *request_.add_compare();
  compare.set_result(etcdserverpb::Compare::EQUAL);
  compare.set_target(etcdserverpb::Compare::MOD);
  compare.set_key(key);
  compare.set_mod_revision(static_cast<std::int64_t>(revision));
}

void Swap::add_failure(const std::string& key) {
  request_.add_failure()->mutable_request_range()->set_key(key);
}

void Swap::add_names() {
  std::map<Name, std::string> released;
  const auto release = [&](const Key& key) {
    const Current now = current(key);
    if (!now.name.empty()) released[{key.kind, now.name}] = key.id;
  };
  for (const Key& key : wanted_.deletes) release(key);
  for (const Object& object : wanted_.puts) release({object.kind, object.id});
  for (const Object& object : wanted_.puts) {
    if (object.name.empty()) continue;
    const Name name{object.kind, object.name};
    const std::string key = keys_.name(object.kind, object.name);
    const auto ours = released.find(name);
    const bool kept = ours != released.end() && ours->second == object.id;
    if (ours == released.end()) {
      compare(key, 0);
      taken_.push_back(name);
    } else {
      released.erase(ours);
    }
    if (kept) continue;
    auto& put = *request_.add_success()->mutable_request_put();
    put.set_key(key);
    put.set_value(object.id);
  }
  for (const auto& [name, holder] : released) {
    request_.add_success()->mutable_request_delete_range()->set_key(
        keys_.name(name.first, name.second));
  }
}

TxnRequest Swap::build() {
  for (const Compare& each : wanted_.compares) {
    compare(keys_.object(each.key), each.revision);
    add_failure(keys_.object(each.key));
  }
  for (const auto& [key, now] : current_) compare(keys_.object(key), now.revision);
  for (const Key& key : wanted_.deletes) {
    if (current(key).revision == 0) continue;
    request_.add_success()->mutable_request_delete_range()->set_key(keys_.object(key));
  }
  for (const Object& object : wanted_.puts) {
    auto& put = *request_.add_success()->mutable_request_put();
    put.set_key(keys_.object({object.kind, object.id}));
    put.set_value(encode_record(object));
  }
  add_names();
  for (const auto& [kind, name] : taken_) add_failure(keys_.name(kind, name));
  return std::move(request_);
}

std::optional<Error> Swap::explain(const TxnResponse& response) const {
  const auto found = [&](std::size_t index) -> const KeyValue* {
    if (index >= static_cast<std::size_t>(response.responses_size())) return nullptr;
    const auto& range = response.responses(static_cast<int>(index)).response_range();
    return range.kvs_size() == 0 ? nullptr : &range.kvs(0);
  };
  std::size_t index = 0;
  for (const Compare& each : wanted_.compares) {
    const KeyValue* at = found(index++);
    const Revision revision = at != nullptr ? static_cast<Revision>(at->mod_revision()) : 0;
    if (revision != each.revision) return compare_failed(each, revision);
  }
  for (const auto& [kind, name] : taken_) {
    const KeyValue* at = found(index++);
    if (at != nullptr) return name_taken(kind, name, at->value());
  }
  return std::nullopt;
}

class EtcdStore final : public Store {
 public:
  explicit EtcdStore(std::shared_ptr<EtcdClient> client) : client_(std::move(client)) {}

  Result<std::optional<Object>> get(const Key& key, Deadline deadline) override;
  Result<Listing> list(const std::string& kind, Deadline deadline) override;
  Result<Revision> commit(const Transaction& transaction, Deadline deadline) override;
  Result<std::unique_ptr<Watch>> watch(Revision from, OnChange on_change) override {
    return watch_etcd(client_, from, std::move(on_change));
  }

 private:
  Result<RangeResponse> range(const RangeRequest& request, Deadline deadline);
  Result<TxnResponse> run(const TxnRequest& request, Deadline deadline);
  Result<std::map<Key, Current>> read_written(const Transaction& transaction, Deadline deadline);

  std::shared_ptr<EtcdClient> client_;
};

Result<RangeResponse> EtcdStore::range(const RangeRequest& request, Deadline deadline) {
  TRY_DO(check_time_for_etcd(deadline));
  grpc::ClientContext context;
  prepare(context);
  set_deadline(context, deadline);
  RangeResponse response;
  const grpc::Status status = client_->kv->Range(&context, request, &response);
  if (!status.ok()) return std::unexpected(client_->error(status, "read from etcd"));
  return response;
}

Result<TxnResponse> EtcdStore::run(const TxnRequest& request, Deadline deadline) {
  TRY_DO(check_time_for_etcd(deadline));
  grpc::ClientContext context;
  prepare(context);
  set_deadline(context, deadline);
  TxnResponse response;
  const grpc::Status status = client_->kv->Txn(&context, request, &response);
  if (!status.ok()) return std::unexpected(client_->error(status, "commit to etcd"));
  return response;
}

Result<std::optional<Object>> EtcdStore::get(const Key& key, Deadline deadline) {
  TRY_DO(check_key(key));
  RangeRequest request;
  request.set_key(client_->keys.object(key));
  TRY(const RangeResponse response, range(request, deadline));
  if (response.kvs_size() == 0) return std::nullopt;
  const KeyValue& at = response.kvs(0);
  TRY(Object object, decode_record(key, static_cast<Revision>(at.mod_revision()), at.value()));
  return object;
}

// In pages of one revision, so that a large swarm needs no large message.
Result<Listing> EtcdStore::list(const std::string& kind, Deadline deadline) {
  if (!kind.empty()) TRY_DO(check_kind(kind));
  const auto bounds = client_->keys.objects(kind);
  RangeRequest request;
  request.set_key(bounds.begin);
  request.set_range_end(bounds.end);
  request.set_limit(kPage);
  Listing listing;
  for (;;) {
    TRY(const RangeResponse response, range(request, deadline));
    if (request.revision() == 0) request.set_revision(response.header().revision());
    for (const KeyValue& at : response.kvs()) {
      auto key = client_->keys.parse_object(at.key());
      if (!key) return fail(Errc::internal, "etcd listed an unknown key");
      TRY(Object object,
          decode_record(std::move(*key), static_cast<Revision>(at.mod_revision()), at.value()));
      listing.objects.push_back(std::move(object));
    }
    if (!response.more() || response.kvs_size() == 0) break;
    request.set_key(response.kvs(response.kvs_size() - 1).key() + std::string(1, '\0'));
  }
  listing.revision = static_cast<Revision>(request.revision());
  // etcd sorts whole keys, in which `b-c/` comes before `b/`.
  std::ranges::stable_sort(listing.objects, {},
                           [](const Object& object) { return std::tie(object.kind, object.id); });
  return listing;
}

// Objects that a compare says are absent need no look: they have no name to give up.
Result<std::map<Key, Current>> EtcdStore::read_written(const Transaction& transaction,
                                                       Deadline deadline) {
  std::map<Key, Current> current;
  for (const Key& key : transaction.deletes) current[key];
  for (const Object& object : transaction.puts) current[{object.kind, object.id}];
  for (const Compare& compare : transaction.compares) {
    if (compare.revision == 0) current.erase(compare.key);
  }
  if (current.empty()) return current;
  TxnRequest request;
  for (const auto& [key, now] : current) {
    request.add_success()->mutable_request_range()->set_key(client_->keys.object(key));
  }
  TRY(const TxnResponse response, run(request, deadline));
  if (response.responses_size() != static_cast<int>(current.size())) {
    return fail(Errc::internal, "etcd answered another number of reads than it was asked");
  }
  int index = 0;
  for (auto& [key, now] : current) {
    const auto& range = response.responses(index++).response_range();
    if (range.kvs_size() == 0) continue;
    const KeyValue& at = range.kvs(0);
    now.revision = static_cast<Revision>(at.mod_revision());
    TRY(Object object, decode_record(key, now.revision, at.value()));
    now.name = std::move(object.name);
  }
  return current;
}

Result<Revision> EtcdStore::commit(const Transaction& transaction, Deadline deadline) {
  TRY_DO(check_transaction(transaction));
  for (int tries = 0; tries < kTries; ++tries) {
    TRY(const auto current, read_written(transaction, deadline));
    Swap swap(client_->keys, transaction, current);
    TRY(const TxnResponse response, run(swap.build(), deadline));
    if (response.succeeded()) return static_cast<Revision>(response.header().revision());
    if (auto why = swap.explain(response)) return std::unexpected(std::move(*why));
  }
  return fail(Errc::conflict, "the objects are being changed too often; try again");
}

}  // namespace

Result<std::unique_ptr<Store>> open_etcd(const EtcdTarget& target) {
  TRY(auto channel, etcd_channel(target));
  return std::make_unique<EtcdStore>(
      std::make_shared<EtcdClient>(std::move(channel), target.prefix));
}

}  // namespace heddle::store
