// fuzz_replay [--seed-defect] TARGET FOLDER...: feeds every file of the folders to the target, so
// that a corpus is a unit test. After `--seed-defect` the target has its deliberate defect.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

bool heddle_seed_defect = false;

std::map<std::string_view, heddle::fuzz::Target>& heddle::fuzz::targets() {
  static std::map<std::string_view, Target> all;
  return all;
}

int main(int argc, char** argv) {
  std::vector<std::string_view> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "--seed-defect") {
    heddle_seed_defect = true;
    words.erase(words.begin());
  }
  const auto& targets = heddle::fuzz::targets();
  if (words.empty() || !targets.contains(words.front())) {
    std::fprintf(stderr, "name one of the targets:");
    for (const auto& [name, target] : targets) std::fprintf(stderr, " %s", name.data());
    std::fprintf(stderr, "\n");
    return 2;
  }
  const heddle::fuzz::Target target = targets.at(words.front());
  std::size_t count = 0;
  for (std::size_t i = 1; i < words.size(); ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(words[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
      std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
      (void)target(input.data(), input.size());
      ++count;
    }
  }
  std::printf("%zu inputs replayed\n", count);
  return count > 0 ? 0 : 1;
}
