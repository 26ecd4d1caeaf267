#pragma once
#include <boost/json/value.hpp>
#include <iosfwd>
#include <vector>

#include "netd/client/types.h"

// What `--format json` prints. Keys are those of netd/model/objects.h; times are RFC 3339 in UTC;
// enums are words. Keys are only ever added.
namespace heddle::output {

using Json = boost::json::value;

Json to_json(const model::Network& network);
Json to_json(const model::Workload& workload);
Json to_json(const model::Endpoint& endpoint);
Json to_json(const model::ServicePort& port);
Json to_json(const model::PublishedPort& port);
Json to_json(const model::Service& service);
Json to_json(const model::Node& node);
Json to_json(const model::LoadBalancer& load_balancer);
Json to_json(const client::NetworkDetails& details);
Json to_json(const client::EndpointPorts& ports);
Json to_json(const client::Started& started);
Json to_json(const client::ServiceDetails& details);
Json to_json(const client::NodeEntry& entry);
Json to_json(const client::NodeEndpoint& endpoint);
Json to_json(const client::SidecarStatus& status);
Json to_json(const client::LoadBalancerStatus& status);
Json to_json(const client::Verified& verified);
Json to_json(const client::SystemInfo& info);

template <class T>
Json to_json(const std::vector<T>& values) {
  boost::json::array array;
  for (const auto& value : values) array.push_back(to_json(value));
  return array;
}

// Indented by two, each object's keys in the order they were put, a newline at the end.
void print(std::ostream& out, const Json& json);

}  // namespace heddle::output
