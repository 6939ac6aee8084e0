/** Parses durations of the environment and the networks file. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Parses a duration such as `250ms`, `5m` or `24h` into milliseconds. @throws Error that shows the allowed
 * forms.
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim())
  const unit = UNIT_MS[match?.[2] ?? '']
  if (!match?.[1] || unit === undefined)
    throw new Error(`"${text}" is not a duration; write for example 250ms, 5m or 24h`)
  return Math.round(Number(match[1]) * unit)
}
