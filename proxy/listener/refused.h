#pragma once
#include <cstdint>
#include <string_view>

#include "proxy/http/refusal.h"
#include "proxy/listener/ingress.h"

namespace heddle::listener {

// A request that was refused before it had a meaning: metrics and access log.
void record_refusal(Ingress& ingress, std::string_view client, http::Refusal refusal,
                    std::uint64_t bytes_out);

}  // namespace heddle::listener
