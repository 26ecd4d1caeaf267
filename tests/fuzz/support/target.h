#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>

// HEDDLE_FUZZ_TARGET(name, data, size) { ... return 0; }: the one entry of
// tests/fuzz/<name>_fuzz.cc. libFuzzer programs have one target each; the replaying program has all
// of them, by name.
#ifdef HEDDLE_FUZZ

#define HEDDLE_FUZZ_TARGET(name, data, size) \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)

#else

namespace heddle::fuzz {

using Target = int (*)(const std::uint8_t* data, std::size_t size);
std::map<std::string_view, Target>& targets();

struct Registration {
  Registration(std::string_view name, Target target) { targets()[name] = target; }
};

}  // namespace heddle::fuzz

#define HEDDLE_FUZZ_TARGET(name, data, size)                                                   \
  static int heddle_fuzz_##name(const std::uint8_t* data, std::size_t size);                   \
  static const heddle::fuzz::Registration heddle_registered_##name(#name, heddle_fuzz_##name); \
  static int heddle_fuzz_##name(const std::uint8_t* data, std::size_t size)

#endif
