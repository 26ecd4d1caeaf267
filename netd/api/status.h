#pragma once
#include "common/base/result.h"

namespace grpc {
class Status;
}

// Errors across gRPC: Errc and status code map one to one (unavailable <-> UNAVAILABLE, exists <->
// ALREADY_EXISTS, conflict <-> ABORTED, in_use <-> FAILED_PRECONDITION, invalid <->
// INVALID_ARGUMENT, denied <-> PERMISSION_DENIED, exhausted <-> RESOURCE_EXHAUSTED, unsupported <->
// UNIMPLEMENTED, timeout <-> DEADLINE_EXCEEDED, internal <-> INTERNAL ...); the message is the
// text.
namespace heddle::api {

grpc::Status to_status(const Error& error);
Error from_status(const grpc::Status& status);  // CHECKs that it is not OK

}  // namespace heddle::api
