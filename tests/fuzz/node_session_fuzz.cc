// link: heddle_netd_cluster heddle_netd_api heddle_netd_api_node_grpc
// What a node sends in its session becomes a transaction that touches its own objects alone,
// whatever it says.
#include <cstddef>
#include <cstdint>

#include "common/base/check.h"
#include "netd/api/codec.h"
#include "netd/cluster/wire.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

namespace {

using namespace heddle;
using namespace heddle::cluster;

void put(Objects& objects, store::Object object) {
  object.revision = 5;
  const store::Key key{object.kind, object.id};
  CHECK(objects.apply({5, key, std::move(object)}));
}

// Two nodes, `aa` that reports and `bb` that must not be touched, on one network.
const Objects& swarm() {
  static const Objects objects = [] {
    Objects made;
    model::Network network;
    network.id = "ff";
    network.name = "app";
    network.driver = "overlay";
    network.scope = model::Scope::swarm;
    network.subnets = {{*Prefix::parse("10.32.0.0/20"), *IpAddr::parse("10.32.0.1")}};
    network.vni = {4096};
    put(made, network_object(network));
    for (const char* id : {"aa", "bb"}) {
      model::Node node;
      node.id = id;
      node.name = id;
      put(made, node_object(node, {}));
    }
    put(made, block_object({"ff", *Prefix::parse("10.32.4.0/26"), "aa"}));
    put(made, block_object({"ff", *Prefix::parse("10.32.4.64/26"), "bb"}));
    model::Endpoint endpoint;
    endpoint.id = "e1";
    endpoint.network = "ff";
    endpoint.node = "bb";
    endpoint.workload = "w";
    endpoint.address = *IfAddr::parse("10.32.4.65/20");
    put(made, endpoint_object(endpoint));
    return made;
  }();
  return objects;
}

}  // namespace

HEDDLE_FUZZ_TARGET(node_session, data, size) {
  node::v1::SessionUp up;
  if (!up.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto report =
      heddle::cluster::from_proto(up.has_hello() ? up.hello().report() : up.report());
  if (!report) {
    CHECK(report.error().code() == Errc::invalid);
    return 0;
  }
  Draft draft(swarm());
  const auto refused = draft_report(swarm(), "aa", *report, model::Time{}, draft);
  CHECK(refused.size() <= report->endpoints.size());
  store::Transaction transaction = std::move(draft).build();
  HEDDLE_DEFECT("a node deletes another's endpoint",
                transaction.deletes.push_back({kEndpointKind, "e1"}));
  for (const store::Object& object : transaction.puts) {
    if (object.kind != kEndpointKind) continue;
    const auto endpoint = api::decode<model::Endpoint>(object.payload);
    CHECK(endpoint && endpoint->node == "aa" && object.id != "e1");
  }
  for (const store::Key& key : transaction.deletes) CHECK(key.id != "e1");
  return 0;
}
