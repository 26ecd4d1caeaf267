#include "netd/cluster/wire.h"

#include "netd/api/codec.h"
#include "netd/api/model.pb.h"

namespace heddle::cluster {

Result<Registry::Report> from_proto(const node::v1::Report& report) {
  Registry::Report out;
  out.epoch = report.epoch();
  if (!report.address().empty()) {
    TRY(out.addresses.own, IpAddr::parse(report.address()).during("address"));
  }
  if (!report.data_address().empty()) {
    TRY(out.addresses.data, IpAddr::parse(report.data_address()).during("data address"));
  }
  out.whole = report.whole() ? Registry::Whole::yes : Registry::Whole::no;
  for (int i = 0; i < report.endpoints_size(); ++i) {
    TRY(model::Endpoint endpoint,
        api::from_proto(report.endpoints(i)).during("endpoints[" + std::to_string(i) + "]"));
    if (endpoint.id.empty()) {
      return fail(Errc::invalid, "endpoints[" + std::to_string(i) + "]: id: empty");
    }
    out.endpoints.push_back(std::move(endpoint));
  }
  out.removed.assign(report.removed().begin(), report.removed().end());
  return out;
}

node::v1::Item to_item(const store::Change& change) {
  node::v1::Item item;
  item.set_kind(change.key.kind);
  item.set_id(change.key.id);
  if (change.object) {
    item.set_payload(change.object->payload);
  } else {
    item.set_removed(true);
  }
  return item;
}

Result<model::Id> caller_of(const grpc::ServerContext& context, const model::Id& swarm) {
  const auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) {
    return fail(Errc::denied, "this call needs a node certificate of the swarm");
  }
  const auto names = auth->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  const auto uris = auth->FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (names.size() == 1 && uris.size() == 1) {
    const std::string node(names[0].data(), names[0].size());
    const std::string_view uri(uris[0].data(), uris[0].size());
    if (uri == "spiffe://" + swarm + "/node/" + node) return node;
  }
  return fail(Errc::denied, "the certificate is not one of a node of this swarm");
}

}  // namespace heddle::cluster
