#pragma once
#include <string>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

// How a load balancer is written on a command line. Errors: `invalid` with what is wrong.
namespace heddle::cmd {

// `http://0.0.0.0:80`, `tcp://[::]:5432`; the port may be absent with http (80).
Result<model::LbListener> parse_listen(const std::string& text);

// `[GROUP=]SERVICE:PORT[,least-request|round-robin]`; the group has the service's name when absent.
Result<model::TargetGroup> parse_target(const std::string& text);

// `host=shop.example.org,path=/api* -> GROUP`, either condition alone, spaces as one likes.
Result<model::LbRule> parse_rule(const std::string& text);

}  // namespace heddle::cmd
