#pragma once
#include <chrono>
#include <optional>
#include <string_view>

#include "proxy/http/message.h"
#include "proxy/listener/local_answer.h"

// What the proxy knows of gRPC: github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
namespace heddle::listener {

bool is_grpc(const http::RequestHead& head);

// `grpc-timeout`: how long the client waits; nullopt when it is absent or malformed.
std::optional<std::chrono::milliseconds> grpc_timeout(const http::RequestHead& head);

// The status code in which a gRPC client hears of a failure of ours.
std::string_view grpc_status_of(Failure failure);

}  // namespace heddle::listener
