#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "netd/model/objects.h"

namespace heddle::cmd {

inline constexpr std::size_t kMaxPublished = 4096;  // entries of one command

// `[ADDRESS:][HOST[-HOST]:]PORT[-PORT][/tcp|udp|sctp]`, as `docker run -p` reads it: HOST are ports
// of the host, PORT of the workload, in ranges of one length; an IPv6 address stands in brackets.
// Without HOST (`80`, `127.0.0.1::80`) the daemon chooses one for each PORT: host_port is 0 then.
// `what` names the text in errors: "--publish".
// Errors: `invalid` with what is wrong.
Result<std::vector<model::PublishedPort>> parse_publish(std::string_view what,
                                                        const std::string& text);
// All of a list. Errors: also `invalid` for more than kMaxPublished.
Result<std::vector<model::PublishedPort>> parse_publish(std::string_view what,
                                                        const std::vector<std::string>& texts);

}  // namespace heddle::cmd
