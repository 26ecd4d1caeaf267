#include "proxy/io/deadline_queue.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

namespace heddle::io {
namespace {

struct Probe {
  Probe() : entry(&Probe::expired, this) {}
  static void expired(void* self) { ++static_cast<Probe*>(self)->count; }
  int count = 0;
  DeadlineQueue::Entry entry;
};

// Deadlines are in the past, so that nothing waits.
const Deadline kPast = Deadline() + std::chrono::seconds(1);

TEST(DeadlineQueue, FiresEachEntryOnce) {
  asio::io_context io;
  DeadlineQueue queue(io.get_executor());
  Probe a;
  Probe b;
  queue.arm(a.entry, kPast);
  queue.arm(b.entry, kPast + std::chrono::seconds(5));
  io.run();
  EXPECT_EQ(a.count, 1);
  EXPECT_EQ(b.count, 1);
}

TEST(DeadlineQueue, DisarmedAndDestroyedEntriesDoNotFire) {
  asio::io_context io;
  DeadlineQueue queue(io.get_executor());
  Probe a;
  queue.arm(a.entry, kPast);
  queue.disarm(a.entry);
  {
    Probe gone;
    queue.arm(gone.entry, kPast);
  }
  io.run();
  EXPECT_EQ(a.count, 0);
}

TEST(DeadlineQueue, AMovedDeadlineFiresAtItsNewTimeOnly) {
  asio::io_context io;
  DeadlineQueue queue(io.get_executor());
  Probe later;
  queue.arm(later.entry, kPast);
  queue.arm(later.entry, std::chrono::steady_clock::now() + std::chrono::hours(1));
  Probe sooner;
  queue.arm(sooner.entry, std::chrono::steady_clock::now() + std::chrono::hours(1));
  queue.arm(sooner.entry, kPast);
  while (sooner.count == 0) io.run_one();
  EXPECT_EQ(later.count, 0);
  EXPECT_EQ(sooner.count, 1);
}

TEST(DeadlineQueue, FiringMayDestroyOthers) {
  asio::io_context io;
  DeadlineQueue queue(io.get_executor());
  static std::unique_ptr<Probe> victim;
  victim = std::make_unique<Probe>();
  DeadlineQueue::Entry killer([](void*) { victim.reset(); }, nullptr);
  queue.arm(killer, kPast);
  queue.arm(victim->entry, kPast);
  io.run();
  EXPECT_EQ(victim, nullptr);
}

}  // namespace
}  // namespace heddle::io
