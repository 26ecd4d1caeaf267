#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace heddle {

namespace asio = boost::asio;

// A coroutine on one executor. Parameters are taken by value or borrowed with a stated lifetime.
template <class T = void>
using Task = asio::awaitable<T>;

// Completion token: `auto [ec, n] = co_await socket.async_read_some(buffer, nothrow);`
inline constexpr auto nothrow = asio::as_tuple(asio::use_awaitable);

}  // namespace heddle
