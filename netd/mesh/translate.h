#pragma once
#include "common/base/result.h"
#include "netd/mesh/config.h"

namespace heddle::proxy::v1 {
class ConfigMessage;
class ProxyMessage;
}  // namespace heddle::proxy::v1

// Between this folder's values and netd/api/proxy.proto. Pure.
namespace heddle::mesh {

void to_message(const ConfigMessage& from, proxy::v1::ConfigMessage& to);

// Errors: `invalid` for a message of no known kind or with malformed fields.
Result<ProxyMessage> from_message(const proxy::v1::ProxyMessage& from);

}  // namespace heddle::mesh
