#pragma once
// Internal to this folder: etcd's stubs and how calls to it are made.
#include <grpcpp/grpcpp.h>

#include <memory>

#include "netd/store/etcd.grpc.pb.h"
#include "netd/store/etcd_keys.h"
#include "netd/store/store.h"

namespace heddle::store {

struct EtcdClient {
  EtcdClient(std::shared_ptr<grpc::Channel> to, std::string prefix)
      : channel(std::move(to)),
        kv(etcdserverpb::KV::NewStub(channel)),
        watch(etcdserverpb::Watch::NewStub(channel)),
        keys(std::move(prefix)) {}

  Error error(const grpc::Status& status, std::string_view what) const;

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<etcdserverpb::KV::Stub> kv;
  std::unique_ptr<etcdserverpb::Watch::Stub> watch;
  EtcdKeys keys;
};

// A call waits for a connection until its deadline, which carries it over a restart of etcd (gRPC
// gets on with connecting only while some call waits). A member without a leader answers at once.
void prepare(grpc::ClientContext& context);
void set_deadline(grpc::ClientContext& context, Deadline deadline);

// Errors: `invalid` when only some of CA, certificate and key are given.
Result<std::shared_ptr<grpc::Channel>> etcd_channel(const EtcdTarget& target);

std::unique_ptr<Store::Watch> watch_etcd(std::shared_ptr<EtcdClient> client, Revision from,
                                         Store::OnChange on_change);

}  // namespace heddle::store
