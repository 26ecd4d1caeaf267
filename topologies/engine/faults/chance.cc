#include "topologies/engine/faults/chance.h"

#include "common/base/check.h"
#include "common/base/stable_hash.h"

namespace heddle::faults {
namespace {

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

Chance::Chance(std::uint64_t seed, std::string_view word) : state_(mix(seed) ^ stable_hash(word)) {}

std::uint64_t Chance::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  return mix(state_);
}

std::uint64_t Chance::below(std::uint64_t bound) {
  CHECK(bound > 0);
  // The bias of the remainder is below 2^-50 for any bound that a lab has.
  return next() % bound;
}

}  // namespace heddle::faults
