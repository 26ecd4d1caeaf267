#pragma once
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.h"

namespace heddle {

// What every fallible function returns. Dropping one is a compile error.
template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;

  // Adds the step that was under way to a failure; a success passes through.
  Result during(std::string_view step) && {
    if (!this->has_value()) this->error() = std::move(this->error()).during(step);
    return std::move(*this);
  }
};

// `return fail(Errc::invalid, "...")` from any function that returns a Result.
inline std::unexpected<Error> fail(Errc code, std::string text) {
  return std::unexpected(Error(code, std::move(text)));
}
inline std::unexpected<Error> fail_errno(int sys_errno, std::string_view what) {
  return std::unexpected(Error::from_errno(sys_errno, what));
}

}  // namespace heddle

#define HEDDLE_CAT_(a, b) a##b
#define HEDDLE_CAT(a, b) HEDDLE_CAT_(a, b)

// TRY(auto x, f()): x is the value of f(), or the function returns f()'s error.
// TRY_DO(f()): the same for a Result<>. CO_TRY and CO_TRY_DO in coroutines: give the awaited result
// a name first (`auto r = co_await f(); CO_TRY(auto x, std::move(r));`), see docs/decisions.
#define HEDDLE_TRY_(tmp, ret, decl, ...)                     \
  auto tmp = (__VA_ARGS__);                                  \
  if (!tmp) ret ::std::unexpected(::std::move(tmp).error()); \
  decl = *::std::move(tmp)
#define HEDDLE_TRY_DO_(tmp, ret, ...) \
  if (auto tmp = (__VA_ARGS__); !tmp) ret ::std::unexpected(::std::move(tmp).error())
#define TRY(decl, ...) HEDDLE_TRY_(HEDDLE_CAT(try_, __LINE__), return, decl, __VA_ARGS__)
#define CO_TRY(decl, ...) HEDDLE_TRY_(HEDDLE_CAT(try_, __LINE__), co_return, decl, __VA_ARGS__)
#define TRY_DO(...) HEDDLE_TRY_DO_(HEDDLE_CAT(try_, __LINE__), return, __VA_ARGS__)
#define CO_TRY_DO(...) HEDDLE_TRY_DO_(HEDDLE_CAT(try_, __LINE__), co_return, __VA_ARGS__)
