#pragma once
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

namespace heddle {

// What callers branch on. The text of an Error is for people.
enum class Errc {
  invalid,      // the request itself is wrong; repeating it cannot help
  not_found,    // the named thing does not exist
  exists,       // the name or address is taken
  conflict,     // somebody changed it meanwhile, or it differs from what was asked
  in_use,       // it cannot be removed while others depend on it
  denied,       // not allowed: a privilege or an identity is missing
  unavailable,  // the other side does not answer now; trying again may help
  timeout,      // the deadline passed; the effect may have happened
  cancelled,    // the caller gave up
  exhausted,    // a bound was reached (addresses, map entries, descriptors)
  unsupported,  // this kernel, engine or peer lacks what is needed
  internal,     // a broken invariant on the other side of a boundary
};

std::string_view name_of(Errc code);

// An expected failure: a code, a sentence for people which says what to do next, and the errno it
// came from when there was one.
class Error {
 public:
  Error(Errc code, std::string text) : code_(code), text_(std::move(text)) {}

  // Reads errno values into codes (EEXIST -> exists, EPERM -> denied ...) and keeps the number.
  static Error from_errno(int sys_errno, std::string_view what);

  Errc code() const { return code_; }
  const std::string& text() const { return text_; }
  int sys_errno() const { return sys_errno_; }  // 0 when none

  // Adds the step that was under way: `attach c1: no such device`.
  Error during(std::string_view step) &&;
  Error during(std::string_view step) const&;

  friend bool operator==(const Error&, const Error&) = default;

 private:
  Errc code_;
  std::string text_;
  int sys_errno_ = 0;
};

}  // namespace heddle
