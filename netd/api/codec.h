#pragma once
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "netd/model/objects.h"

namespace heddle::model::v1 {
class Network;
class Workload;
class Endpoint;
class Service;
class Node;
class AddressBlock;
class Sidecar;
class LoadBalancer;
class Swarm;
class Subnet;
class ServicePort;
class PublishedPort;
class LbListener;
class LbRule;
class TargetGroup;
}  // namespace heddle::model::v1

// The one translator between messages (netd/api/model.proto) and model values. What comes from
// outside is checked here: addresses, ranges, enums, lengths, names of networks, services, aliases
// and target groups (model::check_name: whoever takes them from people checks the same). An id may
// be empty, for drafts. Errors: `invalid`, naming the field.
namespace heddle::api {

void to_proto(const model::Network& value, model::v1::Network& out);
void to_proto(const model::Workload& value, model::v1::Workload& out);
void to_proto(const model::Endpoint& value, model::v1::Endpoint& out);
void to_proto(const model::Service& value, model::v1::Service& out);
void to_proto(const model::Node& value, model::v1::Node& out);
void to_proto(const model::AddressBlock& value, model::v1::AddressBlock& out);
void to_proto(const model::Sidecar& value, model::v1::Sidecar& out);
void to_proto(const model::LoadBalancer& value, model::v1::LoadBalancer& out);
void to_proto(const model::Swarm& value, model::v1::Swarm& out);
void to_proto(const model::ServicePort& value, model::v1::ServicePort& out);
void to_proto(const model::PublishedPort& value, model::v1::PublishedPort& out);
void to_proto(const model::Subnet& value, model::v1::Subnet& out);
void to_proto(const model::LbRule& value, model::v1::LbRule& out);
void to_proto(const model::LbListener& value, model::v1::LbListener& out);
void to_proto(const model::TargetGroup& value, model::v1::TargetGroup& out);

Result<model::Network> from_proto(const model::v1::Network& message);
Result<model::Workload> from_proto(const model::v1::Workload& message);
Result<model::Endpoint> from_proto(const model::v1::Endpoint& message);
Result<model::Service> from_proto(const model::v1::Service& message);
Result<model::Node> from_proto(const model::v1::Node& message);
Result<model::AddressBlock> from_proto(const model::v1::AddressBlock& message);
Result<model::Sidecar> from_proto(const model::v1::Sidecar& message);
Result<model::LoadBalancer> from_proto(const model::v1::LoadBalancer& message);
Result<model::Swarm> from_proto(const model::v1::Swarm& message);
Result<model::ServicePort> from_proto(const model::v1::ServicePort& message);
// A host port of 0 is one that is yet to be chosen.
Result<model::PublishedPort> from_proto(const model::v1::PublishedPort& message);
Result<model::Subnet> from_proto(const model::v1::Subnet& message);
Result<model::LbRule> from_proto(const model::v1::LbRule& message);
Result<model::LbListener> from_proto(const model::v1::LbListener& message);
Result<model::TargetGroup> from_proto(const model::v1::TargetGroup& message);

// The same as bytes: a store's payload. For Network, Workload, Endpoint, Service, Node,
// AddressBlock, Sidecar, LoadBalancer and Swarm. Equal values give equal bytes.
template <class T>
std::string encode(const T& value);
// Errors: `invalid` when the bytes are not such a message or a field is bad.
template <class T>
Result<T> decode(std::string_view bytes);

}  // namespace heddle::api
