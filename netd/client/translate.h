#pragma once
#include <google/protobuf/repeated_field.h>

#include "common/base/result.h"
#include "netd/client/types.h"

namespace heddle::api::v1 {
class ConnectRequest;
class CreateLoadBalancerRequest;
class CreateNetworkRequest;
class EndpointPorts;
class Filter;
class LoadBalancerStatus;
class NetworkDetails;
class NodeEntry;
class PublishRequest;
class RunReply;
class RunRequest;
class ServiceDetails;
class SidecarStatus;
class SystemInfoReply;
class UpdateNetworkRequest;
}  // namespace heddle::api::v1

// The client's structs to requests, and replies to them. Replies are checked: errors `internal`,
// naming the field.
namespace heddle::client {

void fill(const NetworkDraft& draft, api::v1::CreateNetworkRequest& request);
void fill(const NetworkChange& change, api::v1::UpdateNetworkRequest& request);
void fill(const std::vector<Filter>& filters,
          google::protobuf::RepeatedPtrField<api::v1::Filter>& to);
void fill(const Publication& publication, api::v1::PublishRequest& request);
void fill(const Attachment& attachment, api::v1::ConnectRequest& request);
void fill(const RunDraft& draft, api::v1::RunRequest& request);
void fill(const LoadBalancerDraft& draft, api::v1::CreateLoadBalancerRequest& request);

Result<NetworkDetails> read(const api::v1::NetworkDetails& reply);
Result<EndpointPorts> read(const api::v1::EndpointPorts& reply);
Result<Started> read(const api::v1::RunReply& reply);
Result<ServiceDetails> read(const api::v1::ServiceDetails& reply);
Result<NodeEntry> read(const api::v1::NodeEntry& reply);
Result<NodeEndpoint> read(const api::v1::NodeEndpoint& reply);
Result<SidecarStatus> read(const api::v1::SidecarStatus& reply);
Result<LoadBalancerStatus> read(const api::v1::LoadBalancerStatus& reply);
SystemInfo read(const api::v1::SystemInfoReply& reply);

}  // namespace heddle::client
