// A length of time as people read it, in its one or two largest units. Pure.

/** "3d 4h", "23h 59m", "12m", "4s"; minutes and seconds stand alone. Negative counts as nothing. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ]
  if (days > 0) return hours === 0 ? `${days}d` : `${days}d ${hours}h`
  if (hours > 0) return minutes === 0 ? `${hours}h` : `${hours}h ${minutes}m`
  return minutes > 0 ? `${minutes}m` : `${whole}s`
}
