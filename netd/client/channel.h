#pragma once
// For the .cc files here: the way to a daemon's socket.
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace grpc {
class Channel;
}

namespace heddle::client {

inline constexpr std::string_view kNobody = "no heddled answers at ";

// Asks the kernel whether somebody listens, which says more, and sooner, than gRPC does.
// Errors: `invalid` for a path that cannot be one; `denied`; `unavailable`, beginning with kNobody.
Result<> knock(const std::string& socket);

std::shared_ptr<grpc::Channel> open_channel(const std::string& socket);

std::chrono::system_clock::time_point wall(Deadline deadline);

}  // namespace heddle::client
