#include "netd/api/status.h"

#include <grpcpp/support/status.h>

#include "common/base/check.h"

namespace heddle::api {
namespace {

// A status travels in a trailer; gRPC limits all of a call's metadata to 8 KiB by default.
constexpr std::size_t kMaxText = 4096;

grpc::StatusCode code_of(Errc code) {
  switch (code) {
    case Errc::invalid:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Errc::not_found:
      return grpc::StatusCode::NOT_FOUND;
    case Errc::exists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Errc::conflict:
      return grpc::StatusCode::ABORTED;
    case Errc::in_use:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case Errc::denied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case Errc::unavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case Errc::timeout:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case Errc::cancelled:
      return grpc::StatusCode::CANCELLED;
    case Errc::exhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Errc::unsupported:
      return grpc::StatusCode::UNIMPLEMENTED;
    case Errc::internal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

Errc errc_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
      return Errc::invalid;
    case grpc::StatusCode::NOT_FOUND:
      return Errc::not_found;
    case grpc::StatusCode::ALREADY_EXISTS:
      return Errc::exists;
    case grpc::StatusCode::ABORTED:
      return Errc::conflict;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return Errc::in_use;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return Errc::denied;
    case grpc::StatusCode::UNAVAILABLE:
      return Errc::unavailable;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Errc::timeout;
    case grpc::StatusCode::CANCELLED:
      return Errc::cancelled;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Errc::exhausted;
    case grpc::StatusCode::UNIMPLEMENTED:
      return Errc::unsupported;
    default:
      return Errc::internal;
  }
}

std::string shortened(const std::string& text) {
  if (text.size() <= kMaxText) return text;
  std::size_t end = kMaxText - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // whole UTF-8
  return text.substr(0, end) + "...";
}

}  // namespace

grpc::Status to_status(const Error& error) {
  return grpc::Status(code_of(error.code()), shortened(error.text()));
}

Error from_status(const grpc::Status& status) {
  CHECK(!status.ok());
  const Errc code = errc_of(status.error_code());
  if (!status.error_message().empty()) return Error(code, status.error_message());
  return Error(code, "the other side gave no reason (" + std::string(name_of(code)) + ")");
}

}  // namespace heddle::api
