#include "common/base/error.h"

#include <cstring>

namespace heddle {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::invalid:
      return "invalid";
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::conflict:
      return "conflict";
    case Errc::in_use:
      return "in_use";
    case Errc::denied:
      return "denied";
    case Errc::unavailable:
      return "unavailable";
    case Errc::timeout:
      return "timeout";
    case Errc::cancelled:
      return "cancelled";
    case Errc::exhausted:
      return "exhausted";
    case Errc::unsupported:
      return "unsupported";
    case Errc::internal:
      return "internal";
  }
  return "internal";
}

namespace {
Errc code_of_errno(int sys_errno) {
  switch (sys_errno) {
    case EINVAL:
      return Errc::invalid;
    case ENOENT:
    case ENODEV:
    case ESRCH:
    case ENXIO:
    case EADDRNOTAVAIL:
      return Errc::not_found;
    case EEXIST:
    case EADDRINUSE:
      return Errc::exists;
    case EBUSY:
    case ENOTEMPTY:
      return Errc::in_use;
    case EPERM:
    case EACCES:
      return Errc::denied;
    case ETIMEDOUT:
      return Errc::timeout;
    case ECANCELED:
      return Errc::cancelled;
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case E2BIG:
      return Errc::exhausted;
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case ENOSYS:
      return Errc::unsupported;
    default:
      return Errc::unavailable;
  }
}
}  // namespace

Error Error::from_errno(int sys_errno, std::string_view what) {
  char buffer[128];
  Error error(code_of_errno(sys_errno),
              std::string(what) + ": " + ::strerror_r(sys_errno, buffer, sizeof buffer));
  error.sys_errno_ = sys_errno;
  return error;
}

Error Error::during(std::string_view step) && {
  text_ = std::string(step) + ": " + text_;
  return std::move(*this);
}

Error Error::during(std::string_view step) const& {
  return Error(*this).during(step);
}

}  // namespace heddle
