#include "core/cost/contention/contention.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/cost/contention/features.hpp"
#include "core/cost/contention/least_squares.hpp"
#include "core/cost/contention/regression.hpp"
#include "core/cost/contention/remembered_powers.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"

namespace opsched {
namespace {

constexpr std::size_t kUtilisationFeatures = 10;
using UtilisationFeatures = std::array<double, kUtilisationFeatures>;

constexpr std::size_t kOutputs = 2;      // index of the feature
constexpr double kOutputsInLog = 3;      // its slope if utilisation grows in proportion to outputs
constexpr double kThreadsAtHalf = 1024;  // of a multiprocessor's 2048

/// Features that determine utilisation, of similar magnitude and roughly centred. `half`: outputs of an operator that
/// fills half the device.
UtilisationFeatures utilisation_features(const OperatorFeatures& f, double ms, double half) {
  const auto log = [](double x, double middle) { return std::log(std::max(x, 1.0) / middle) / 3; };
  const double bytes = f.bytes_read + f.bytes_written + f.weight_bytes;
  return {log(f.pixels, 300),    log(f.channels, 200),    log(f.outputs, half),
          log(f.reduction, 500), std::log(ms / 0.02) / 2, f.macs > 0 ? log(f.macs / ms, 1e10) : 0,
          log(bytes / ms, 1e8),  f.macs > 0 ? 1.0 : 0.0,  f.depthwise ? 1.0 : 0.0,
          f.pool ? 1.0 : 0.0};
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

ContentionLaw initial_law() {
  ContentionLaw law;
  law.exponent = 3;
  law.interference = 0.01;
  law.fork_ms = 0.001;
  return law;
}

/// n outputs fill n / (n + half) of the device, if nothing else is known.
UtilisationFeatures initial_slope() {
  UtilisationFeatures slope{};
  slope[kOutputs] = kOutputsInLog;
  return slope;
}

/// All parameters that the fit of concurrent stages determines.
struct Parameters {
  ContentionLaw law = initial_law();
  double base = 0;
  UtilisationFeatures slope = initial_slope();

  double utilisation(const UtilisationFeatures& x, double correction) const {
    double sum = base + correction;
    for (std::size_t i = 0; i < x.size(); ++i) sum += slope[i] * x[i];
    return std::max(0.01, logistic(sum));
  }

  // The fitted vector; positive numbers are stored as logarithms.
  static constexpr std::size_t kHead = 5;
  std::vector<double> pack() const {
    std::vector<double> v{std::log(law.exponent - 1), std::log(law.interference), std::log(law.fork_ms),
                          1000 * law.chain_ms, base};
    v.insert(v.end(), slope.begin(), slope.end());
    return v;
  }
  static Parameters unpack(const std::vector<double>& v) {
    Parameters p;
    p.law.exponent = 1 + std::exp(std::min(v[0], 4.0));
    p.law.interference = std::exp(std::min(v[1], 2.0));
    p.law.fork_ms = std::exp(std::min(v[2], 2.0));
    p.law.chain_ms = v[3] / 1000;
    p.base = v[4];
    std::copy(v.begin() + kHead, v.end(), p.slope.begin());
    return p;
  }
  /// Prior widths: how far each parameter may move from its initial value if the data say little. Interference hardly
  /// moves: stages at batch 1 cannot separate it from the exponent, and large batches, where operators fill the
  /// device, show that it is almost zero.
  static double spread(std::size_t i) { return i == 1 ? 0.02 : i < 4 ? 1.5 : 1.0; }
};

struct OperatorEntry {
  double ms = 0;
  UtilisationFeatures x{};
  double correction = 0;
};

/// A measured concurrent stage; operators are indices of entries.
struct Sample {
  std::vector<std::vector<int>> groups;
  double log_ms = 0;
};

constexpr double kNoise = 0.05;        // relative error that a perfect model would still have
constexpr double kOutlier = 0.3;       // relative errors beyond this count linearly
constexpr double kCorrection = 0.7;    // spread of an operator's own correction
constexpr double kLeast = 1e-4;        // ms; anything below counts as 0 (joins written in place)
constexpr std::size_t kFitted = 1200;  // stages suffice to fit the law; corrections use all

std::uint64_t hash(std::string_view text) {
  const std::uint64_t h = fnv1a(text);
  return h ^ (h >> 29);
}

/// A stage of a profile. Views of its key.
struct MeasuredStage {
  std::string_view key;
  StageWords words;
  double ms;
};

/// Sorted, so that what is computed from them does not depend on the map's order.
std::vector<MeasuredStage> measured_stages(const Profile& profile, const std::function<bool(const std::string&)>& use) {
  std::vector<MeasuredStage> stages;
  for (const auto& [key, record] : profile.stages())
    if (!use || use(key)) stages.push_back({key, split_stage_key(key), record.ms});
  std::ranges::sort(stages, {}, &MeasuredStage::key);
  return stages;
}

}  // namespace

struct ContentionModel::State {
  int element_bytes = 4;
  double half = 0;                             ///< outputs of an operator that fills half the device, before the fit
  std::unordered_map<std::string, int> index;  // index of entries, by solo key without wiring
  std::vector<OperatorEntry> entries;
  std::vector<Sample> samples;
  Parameters parameters;
  Regression latency{{}, {}};
  double least = 0;  ///< ms of the fastest measured kernel; a lower bound for all others

  static PoweredTask task(const OperatorEntry& entry, double correction, const Parameters& with) {
    return with.law.powered({entry.ms, with.utilisation(entry.x, correction)});
  }

  /// All entries as tasks.
  std::vector<PoweredTask> tasks(const Parameters& with) const {
    std::vector<PoweredTask> all;
    all.reserve(entries.size());
    for (const OperatorEntry& entry : entries) all.push_back(task(entry, entry.correction, with));
    return all;
  }

  /// Error of a prediction, relative and in units of the noise.
  static double residual(const Sample& sample, std::span<const PoweredTask> tasks, const ContentionLaw& law,
                         RememberedPowers& powers) {
    return robust(std::log(concurrent_ms(sample.groups, tasks, law, powers)) - sample.log_ms, kOutlier) / kNoise;
  }

  /// Makes the entries, and fits the latencies of operators and merges.
  void learn_latencies(std::span<const MeasuredStage> stages) {
    std::unordered_map<std::string_view, Operator> operators;
    const auto parsed = [&](std::string_view signature) -> const Operator& {
      const auto it = operators.find(signature);
      if (it != operators.end()) return it->second;
      return operators.emplace(signature, parse_operator_signature(std::string(signature))).first->second;
    };
    std::vector<std::vector<double>> rows;
    std::vector<double> logs;
    const auto learn = [&](const OperatorFeatures& f, double ms) {
      rows.push_back(regression_features(f));
      logs.push_back(std::log(std::max(ms, kLeast)));
    };
    for (const auto& [key, words, ms] : stages) {
      std::vector<const Operator*> ops;
      for (const auto& op : words.ops) ops.push_back(&parsed(op.signature));
      if (ops.size() == 1) {
        const OperatorFeatures f = operator_features(*ops[0], words.batch, element_bytes);
        const std::string solo = solo_key(std::string(words.ops[0].signature), words.batch);
        if (!index.try_emplace(solo, static_cast<int>(entries.size())).second)
          continue;  // the same operator, wired to one value twice
        entries.push_back({ms, utilisation_features(f, ms, half), 0});
        if (!ops[0]->is_join() && ms >= kLeast) least = least > 0 ? std::min(least, ms) : ms;
        learn(f, ms);
      } else if (words.strategy == Strategy::merge) {
        std::vector<Operator> merged;
        for (const Operator* op : ops) merged.push_back(*op);
        learn(operator_features(merged_operator(merged), words.batch, element_bytes), ms);
      }
    }
    latency = Regression(std::move(rows), std::move(logs));
  }

  /// Makes the samples, of concurrent stages whose operators are all known. Returns those that fit the law.
  std::vector<int> take_samples(std::span<const MeasuredStage> stages) {
    std::vector<std::pair<std::uint64_t, int>> order;
    for (const auto& [key, words, ms] : stages) {
      if (words.ops.size() == 1 || words.strategy == Strategy::merge || ms < kLeast) continue;
      Sample sample{.groups = words.groups, .log_ms = std::log(ms)};
      bool known = true;
      for (auto& group : sample.groups)
        for (int& op : group) {
          const auto it = index.find(solo_key(std::string(words.ops[op].signature), words.ops[op].images));
          known = known && it != index.end();
          if (known) op = it->second;
        }
      if (!known) continue;
      order.emplace_back(hash(key), static_cast<int>(samples.size()));
      samples.push_back(std::move(sample));
    }
    std::ranges::sort(order);
    std::vector<int> chosen;
    for (std::size_t i = 0; i < std::min(order.size(), kFitted); ++i) chosen.push_back(order[i].second);
    return chosen;
  }

  void fit_law(const std::vector<int>& chosen) {
    const std::vector<double> prior = Parameters{}.pack();
    const auto residuals = [&](const std::vector<double>& v, std::vector<double>& r) {
      const Parameters trial = Parameters::unpack(v);
      const std::vector<PoweredTask> all = tasks(trial);
      RememberedPowers powers(trial.law);
      r.clear();
      for (int i : chosen) r.push_back(residual(samples[i], all, trial.law, powers));
      for (std::size_t j = 0; j < v.size(); ++j) r.push_back((v[j] - prior[j]) / Parameters::spread(j));
    };
    parameters = Parameters::unpack(least_squares(residuals, parameters.pack(), 25));
  }

  /// Fits one operator's correction after another, with the others fixed.
  void fit_corrections() {
    std::vector<std::vector<int>> stages_of(entries.size());
    for (std::size_t s = 0; s < samples.size(); ++s)
      for (const auto& group : samples[s].groups)
        for (int i : group)
          if (stages_of[i].empty() || stages_of[i].back() != static_cast<int>(s))
            stages_of[i].push_back(static_cast<int>(s));
    std::vector<PoweredTask> all = tasks(parameters);
    RememberedPowers powers(parameters.law);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (stages_of[i].empty()) continue;
      double& correction = entries[i].correction;
      const double step = 1e-3;
      double gradient = correction / (kCorrection * kCorrection), curvature = 1 / (kCorrection * kCorrection);
      const PoweredTask before = all[i], moved = task(entries[i], correction + step, parameters);
      for (int s : stages_of[i]) {
        all[i] = before;
        const double here = residual(samples[s], all, parameters.law, powers);
        all[i] = moved;
        const double slope = (residual(samples[s], all, parameters.law, powers) - here) / step;
        gradient += slope * here;
        curvature += slope * slope;
      }
      correction -= std::clamp(gradient / curvature, -1.0, 1.0);
      all[i] = task(entries[i], correction, parameters);
    }
  }
};

ContentionModel::ContentionModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
ContentionModel::ContentionModel(ContentionModel&&) noexcept = default;
ContentionModel& ContentionModel::operator=(ContentionModel&&) noexcept = default;
ContentionModel::~ContentionModel() = default;

ContentionModel ContentionModel::fit(const Profile& profile, const std::function<bool(const std::string& key)>& use) {
  auto state = std::make_unique<State>();
  State& s = *state;
  s.element_bytes = element_bytes(profile.precision());
  s.half = kThreadsAtHalf * std::max(1, profile.device().multiprocessors);
  const std::vector<MeasuredStage> stages = measured_stages(profile, use);
  s.learn_latencies(stages);
  if (s.entries.empty()) throw Error("the profile of '" + profile.device().name + "' holds no operator's latency");
  const std::vector<int> chosen = s.take_samples(stages);
  if (!chosen.empty()) {
    for (int round = 0; round < 2; ++round) {
      s.fit_law(chosen);
      for (int sweep = 0; sweep < 3; ++sweep) s.fit_corrections();
    }
  }
  s.samples.clear();
  // The fastest kernel does little more than start. A dependency between devices costs about one more start.
  s.parameters.law.start_ms = s.parameters.law.remote_ms = s.least;
  for (const LinkKind kind : kLinkKinds)
    for (const auto& [link, record] : profile.transfers(kind))
      s.parameters.law.transfer_latency_ms = std::min(s.parameters.law.transfer_latency_ms, record.ms);
  return ContentionModel(std::move(state));
}

bool ContentionModel::operator_measured(const std::string& signature, int batch) const {
  return state_->index.contains(solo_key(signature, batch));
}

Task ContentionModel::operator_task(const Operator& op, const std::string& signature, int batch) const {
  const State& s = *state_;
  if (const auto it = s.index.find(solo_key(signature, batch)); it != s.index.end()) {
    const OperatorEntry& entry = s.entries[it->second];
    return {entry.ms, s.parameters.utilisation(entry.x, entry.correction)};
  }
  const OperatorFeatures f = operator_features(op, batch, s.element_bytes);
  const double ms = std::max(std::exp(s.latency.predict(regression_features(f))), op.is_join() ? 0 : s.least);
  return {ms, s.parameters.utilisation(utilisation_features(f, ms, s.half), 0)};
}

Task ContentionModel::merged_task(std::span<const Operator> ops, int batch) const {
  const State& s = *state_;
  const OperatorFeatures f = operator_features(merged_operator(ops), batch, s.element_bytes);
  const double ms = std::max(std::exp(s.latency.predict(regression_features(f))), s.least);
  return {ms, s.parameters.utilisation(utilisation_features(f, ms, s.half), 0)};
}

double ContentionModel::stage_ms(const std::string& key) const {
  const SignedStage stage = parse_stage_key(key);
  if (stage.strategy == Strategy::merge) return merged_task(stage.ops, stage.batch).ms;
  std::vector<PoweredTask> tasks;
  for (std::size_t op = 0; op < stage.ops.size(); ++op)
    tasks.push_back(contention_law().powered(operator_task(stage.ops[op], stage.signatures[op], stage.images[op])));
  return concurrent_ms(stage.groups, tasks, contention_law());
}

const ContentionLaw& ContentionModel::contention_law() const { return state_->parameters.law; }

FitReport cross_validate(const Profile& profile, int folds, const std::function<void(int)>& progress) {
  if (folds < 2) throw Error("cross-validation needs at least 2 folds, not " + std::to_string(folds));
  FitReport report;
  struct Pairs {
    std::vector<double> predicted, measured;
    void add(double p, double m) {
      predicted.push_back(p);
      measured.push_back(m);
    }
    ErrorStats stats() const { return error_stats(predicted, measured); }
  } fitted, concurrent, merge, solo;

  struct Kind {
    bool solo, merge;
  };
  std::unordered_map<std::string, Kind> kinds;
  std::vector<std::vector<double>> rows;
  std::vector<double> logs;
  std::vector<int> parts;
  for (const auto& [key, record] : profile.stages()) {
    const SignedStage stage = parse_stage_key(key);
    kinds[key] = {stage.ops.size() == 1, stage.strategy == Strategy::merge};
    if (stage.ops.size() > 1) continue;
    rows.push_back(
        regression_features(operator_features(stage.ops[0], stage.batch, element_bytes(profile.precision()))));
    logs.push_back(std::log(std::max(record.ms, kLeast)));
    parts.push_back(static_cast<int>(hash(key) % folds));
  }
  for (int fold = 0; fold < folds; ++fold) {
    if (progress) progress(fold);
    const auto left_out = [&](const std::string& key) {
      return static_cast<int>(hash(key) % folds) == fold && !kinds.at(key).solo;
    };
    const ContentionModel model = ContentionModel::fit(profile, [&](const std::string& key) { return !left_out(key); });
    for (const auto& [key, kind] : kinds) {
      if (kind.solo) continue;
      const double measured = profile.find_stage(key)->ms;
      if (measured < kLeast) continue;
      if (left_out(key)) {
        report.left_out.push_back({key, model.stage_ms(key), measured});
        (kind.merge ? merge : concurrent).add(report.left_out.back().predicted, measured);
      } else if (!kind.merge && fold == 0) {
        fitted.add(model.stage_ms(key), measured);
      }
    }
    std::vector<std::vector<double>> train;
    std::vector<double> values;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (parts[i] == fold) continue;
      train.push_back(rows[i]);
      values.push_back(logs[i]);
    }
    const Regression regression(std::move(train), std::move(values));
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (parts[i] == fold) solo.add(std::exp(regression.predict(rows[i])), std::exp(logs[i]));
    report.law = model.contention_law();
  }
  std::ranges::sort(report.left_out, {}, &StagePrediction::key);
  report.fitted = fitted.stats();
  report.concurrent = concurrent.stats();
  report.merge = merge.stats();
  report.solo = solo.stats();
  return report;
}

}  // namespace opsched
