#pragma once
#include <string>
#include <string_view>

#include "netd/model/objects.h"

// How values read, in tables and in JSON alike.
namespace heddle::output {

std::string_view word(model::WorkloadKind kind);
std::string_view word(model::RestartPolicy policy);
std::string_view word(model::WorkloadState state);
std::string_view word(model::Protocol protocol);
std::string_view word(model::PublishedProtocol protocol);
std::string_view word(model::AppProtocol protocol);
std::string_view word(model::EndpointState state);
std::string_view word(model::NodeRole role);
std::string_view word(model::NodeStatus status);
std::string_view word(model::Availability availability);
std::string_view word(model::LbAlgorithm algorithm);

std::string format(model::Time time);                // 2026-01-02T03:04:05Z; "" when none
std::string format(const model::ServicePort& port);  // http=8080/tcp/http1
std::string format(const std::vector<model::ServicePort>& ports);
// 127.0.0.1:8080-8081:80-81/tcp, as it is typed
std::string format(const model::PublishedPort& port);
std::string format(const std::vector<model::PublishedPort>& ports);

}  // namespace heddle::output
