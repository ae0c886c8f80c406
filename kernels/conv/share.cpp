// Divides pixels and panels among threads; see share.hpp.
#include "kernels/conv/share.hpp"

namespace intact::kernels {

std::int64_t panels_per_group(const ConvBlocking& blocking, const ConvPacking& packing) {
  std::int64_t count = 0;
  for (ConvPanel p = panel_at(blocking, packing, 0); p.width > 0;
       p = panel_at(blocking, packing, p.begin + p.width))
    ++count;
  return count;
}

ConvShare divide(const ConvShape& shape, const ConvBlocking& blocking, std::int64_t panels,
                 std::int64_t pixel_grain, Part part) {
  const std::int64_t pixels = shape.out_pixels();
  const double k = static_cast<double>(blocking.column_bytes());
  const double columns = static_cast<double>(blocking.total_columns()) / panels;
  int best_split = 1;
  double best_cost = 0;
  for (int pixel_parts = 1; pixel_parts <= part.count; ++pixel_parts) {
    if (part.count % pixel_parts != 0) continue;
    const std::int64_t panel_parts = part.count / pixel_parts;
    const std::int64_t grains = (pixels + pixel_grain - 1) / pixel_grain;
    const double rows = static_cast<double>((grains + pixel_parts - 1) / pixel_parts * pixel_grain);
    const double width = static_cast<double>((panels + panel_parts - 1) / panel_parts) * columns;
    const double cost = k * (rows * width / 64 + (rows + width) / 32);
    if (pixel_parts == 1 || cost < best_cost) {
      best_split = pixel_parts;
      best_cost = cost;
    }
  }
  return {split(pixels, {part.index % best_split, best_split}, pixel_grain),
          split(panels, {part.index / best_split, part.count / best_split})};
}

PanelWalk::PanelWalk(const ConvBlocking& blocking, const ConvPacking& packing, Range panels)
    : blocking_(blocking),
      packing_(packing),
      index_(panels.begin),
      end_(panels.end),
      panel_(panel_at(blocking, packing, 0)) {
  const std::int64_t per_group = panels_per_group(blocking, packing);
  group_ = index_ / per_group;
  for (std::int64_t i = group_ * per_group; i < index_; ++i)
    panel_ = panel_at(blocking_, packing_, panel_.begin + panel_.width);
}

void PanelWalk::advance() {
  ++index_;
  panel_ = panel_at(blocking_, packing_, panel_.begin + panel_.width);
  if (panel_.width > 0) return;
  panel_ = panel_at(blocking_, packing_, 0);
  ++group_;
}

EpilogueTarget panel_target(const ConvArgs& args, const ConvBlocking& blocking,
                            const ConvPanel& panel, std::int64_t pixel, std::int64_t channel) {
  EpilogueTarget target;
  target.dst = static_cast<std::byte*>(args.dst) +
               (pixel * args.dst_pitch + channel) * output_bytes(args.epilogue.output);
  target.dst_pitch = args.dst_pitch;
  target.columns =
      static_cast<int>(std::min<std::int64_t>(panel.width, blocking.group_out - panel.begin));
  if (const Residual* residual = args.epilogue.residual; residual != nullptr) {
    target.residual = residual->data + pixel * residual->pitch + channel;
    target.residual_pitch = residual->pitch;
  }
  return target;
}

}  // namespace intact::kernels
