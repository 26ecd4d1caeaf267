#pragma once
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/async/task_group.h"
#include "common/base/result.h"
#include "netd/dns/answer.h"
#include "netd/dns/cache.h"
#include "netd/dns/question.h"
#include "netd/dns/upstreams.h"

namespace heddle::dns {

// Asks resolvers what is not ours. Askers of one question share one query to the upstreams and what
// came of it, then and as long as the reply's TTLs allow. The servers that answer are asked in
// order, each for a while; one that failed is asked beside them until it answers again.
//
// A query leaves from a socket of its own with a random port, id and spelling (question.h). A query
// of ours that comes back to us is refused: an upstream asks us in turn.
//
// Threads: one executor. close() ends the tasks; join() must be awaited before it goes.
class Forwarder final {
 public:
  struct Settings {
    std::chrono::milliseconds attempt{1500};  // for one server
    std::chrono::milliseconds total{4500};    // askers give up after 5 s (resolv.conf(5), timeout)
    std::size_t max_questions = 512;          // different ones, under way
    std::size_t cache_bytes = 4 << 20;
    Lifetimes longest;
  };
  // Read from other threads.
  struct Counters {
    std::atomic<std::uint64_t> cached{0};   // answered from the cache
    std::atomic<std::uint64_t> joined{0};   // answered with another's question
    std::atomic<std::uint64_t> asked{0};    // queries sent to upstreams
    std::atomic<std::uint64_t> by_tcp{0};   // of these, because a reply was truncated
    std::atomic<std::uint64_t> silent{0};   // upstream queries without a reply in time
    std::atomic<std::uint64_t> useless{0};  // unreachable, refusing or not understood
    std::atomic<std::uint64_t> loops{0};
  };
  Forwarder(const asio::any_io_executor& executor, const Settings& settings, Counters& counters,
            std::vector<SocketAddr> servers);
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // What the cache has; empty when nothing. `query` was parsed from `message`.
  Bytes find(ByteView message, const Query& query, Transport transport);

  // The reply to pass on: SERVFAIL when no server gave one. A truncated one goes to who asked over
  // UDP and will come again over TCP; for who asked over TCP the upstream is asked so too.
  Task<Bytes> ask(Bytes message, Query query, Transport transport);

  // Other servers, another view of the world: nothing of the cache stays.
  void set_servers(std::vector<SocketAddr> servers);

  struct Server {
    SocketAddr address;
    bool up;
  };
  std::vector<Server> servers() const;
  std::size_t cache_entries() const { return cache_.size(); }
  std::size_t cache_bytes() const { return cache_.bytes(); }

  void close() { tasks_.cancel(); }
  Task<> join() { return tasks_.join(); }

 private:
  struct Flight {  // a question under way
    explicit Flight(const asio::any_io_executor& executor) : landed(executor) {
      landed.expires_at(Deadline::max());
    }
    bool done = false;
    std::shared_ptr<const UpstreamReply> reply;  // null when there is none
    asio::steady_timer landed;                   // cancelled then
  };
  using Servers = std::shared_ptr<Upstreams>;

  bool is_ours(ByteView message, const Query& query) const;
  Task<> fly(std::shared_ptr<Flight> flight, Question question, Transport transport);
  Task<Result<UpstreamReply>> ask_all(Question question, Transport transport);
  Task<Result<UpstreamReply>> ask_one(Servers servers, std::size_t server, Question question,
                                      Transport transport, Deadline deadline);
  Task<Result<UpstreamReply>> converse(Servers servers, std::size_t server, Question question,
                                       Transport transport, Deadline deadline);
  Task<Result<UpstreamReply>> repeat_by_tcp(Bytes query, SocketAddr server, Deadline deadline);
  Task<> try_again(Servers servers, std::size_t server, Question question);

  const asio::any_io_executor executor_;
  const Settings settings_;
  Counters& counters_;
  Servers servers_;  // replaced whole: questions under way go on with theirs
  Cache cache_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;  // by key and transport
  std::multiset<std::string> sent_;  // questions as we spelled them, under way
  TaskGroup tasks_;
};

}  // namespace heddle::dns
