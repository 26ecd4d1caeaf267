#pragma once
#include <string>
#include <vector>

#include "ctl/cmd/command.h"
#include "netd/model/objects.h"

namespace heddle::cmd {

inline constexpr Flag kPortFlag{
    "--port", "PORT...",
    "port of the service: [NAME=]PORT[/tcp|udp][/http|http2|opaque]; the last says what it speaks"};

// The values of kPortFlag. Errors: `invalid` with what is wrong.
Result<std::vector<model::ServicePort>> parse_ports(const std::vector<std::string>& texts);
Result<std::vector<model::ServicePort>> parse_ports(const Arguments& arguments);

}  // namespace heddle::cmd
