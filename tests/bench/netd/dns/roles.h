#pragma once
#include <cstdint>
#include <string>

// The servers of the benchmark that are not programs of others; each is this program with other
// arguments, and runs until it is killed.
namespace heddle::bench {

inline constexpr int kNames = 1000;

// A DnsServer with kNames workloads c0, c1 ... on the network app; other names from `upstream`.
int serve(std::uint16_t port, std::uint16_t upstream);

// Sends back what came.
int echo(std::uint16_t port);

// Answers each query for an A record with one.
int upstream(std::uint16_t port);

// The address of the n-th workload.
std::string address_of(int n);

}  // namespace heddle::bench
