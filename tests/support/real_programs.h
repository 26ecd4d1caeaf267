#pragma once
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

// For tests that run the real programs.
namespace heddle::peer {

// Where they are: as ctest says, or beside the test's own folder.
inline std::string bin_dir() {
  if (const char* bin = std::getenv("HEDDLE_BIN")) return bin;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin";
}

// Whether it comes to hold. A loaded machine takes its time.
inline bool eventually(const std::function<bool()>& holds,
                       std::chrono::seconds limit = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace heddle::peer
