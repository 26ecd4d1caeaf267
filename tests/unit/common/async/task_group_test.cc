#include "common/async/task_group.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

namespace heddle {
namespace {

Task<> wait_for_ever(int* ended) {
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_at(asio::steady_timer::time_point::max());
  auto [ec] = co_await timer.async_wait(nothrow);
  if (ec == asio::error::operation_aborted) ++*ended;
}

Task<> run_group(int* ended, bool* joined) {
  TaskGroup group(co_await asio::this_coro::executor);
  for (int i = 0; i < 10; ++i) group.spawn(wait_for_ever(ended));
  asio::steady_timer tick(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
  co_await tick.async_wait(asio::use_awaitable);
  EXPECT_EQ(group.size(), 10u);
  group.cancel();
  co_await group.join();
  *joined = group.size() == 0;
}

TEST(TaskGroup, CancelEndsEveryMemberAndJoinWaitsForThem) {
  asio::io_context io;
  int ended = 0;
  bool joined = false;
  asio::co_spawn(io, run_group(&ended, &joined), [](std::exception_ptr e) { EXPECT_FALSE(e); });
  io.run();
  EXPECT_EQ(ended, 10);
  EXPECT_TRUE(joined);
}

}  // namespace
}  // namespace heddle
