/** Reads the cron expressions of withdrawal schedules: five fields, UTC. */

interface Field {
  readonly name: string
  readonly least: number
  readonly most: number
  readonly names?: readonly string[]
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] as const
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const
const FIELDS: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of the month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of the week', least: 0, most: 7, names: DAYS },
]

/**
 * Returns why a text is no cron expression. `null` if it is one: minute, hour, day of the month, month and
 * day of the week, each `*`, numbers, ranges, steps or lists of them. Months and days may be English
 * abbreviations.
 */
export function refuseCron(text: string): string | null {
  const parts = text.trim().split(/\s+/)
  if (parts.length !== FIELDS.length) {
    return 'has five fields: minute, hour, day of the month, month, day of the week'
  }
  for (const [index, field] of FIELDS.entries()) {
    const part = parts[index] ?? ''
    if (!part.split(',').every((item) => isItem(item, field))) {
      return `has a wrong ${field.name}: "${part}" (${field.least} to ${field.most})`
    }
  }
  return null
}

/**
 * Longest wait of an expression: 29 February on one day of the week, around 2100, when a leap year is left
 * out.
 */
const HORIZON_YEARS = 41
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/**
 * Returns whether an expression that `refuseCron` accepted ever fires between two instants. Day of the month
 * and day of the week must both match, as in Temporal's calendars: `0 8 13 * FRI` is Friday the 13th.
 *
 * @param end - Last instant. `null` for any within the next 41 years, after which the calendar repeats.
 */
export function everFires(text: string, start: Date, end: Date | null): boolean {
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = text
    .trim()
    .split(/\s+/)
    .map((part, index) => valuesOf(part, FIELDS[index] as Field))
  const horizon = new Date(start)
  horizon.setUTCFullYear(start.getUTCFullYear() + HORIZON_YEARS)
  const last = Math.min(end?.getTime() ?? Number.POSITIVE_INFINITY, horizon.getTime())
  const first = Math.floor(start.getTime() / DAY_MS) * DAY_MS
  for (let midnight = first; midnight <= last; midnight += DAY_MS) {
    const day = new Date(midnight)
    const weekday = day.getUTCDay()
    const matches =
      months.includes(day.getUTCMonth() + 1) &&
      days.includes(day.getUTCDate()) &&
      (weekdays.includes(weekday) || (weekday === 0 && weekdays.includes(7)))
    if (!matches) continue
    const times = hours.flatMap((hour) =>
      minutes.map((minute) => midnight + hour * HOUR_MS + minute * MINUTE_MS),
    )
    if (times.some((time) => time >= start.getTime() && time <= last)) return true
  }
  return false
}

function valuesOf(part: string, field: Field): number[] {
  return part.split(',').flatMap((item) => {
    const [range = '', step = '1'] = item.split('/')
    const [from, to] =
      range === '*' ? [field.least, field.most] : range.split('-').map((each) => readValue(each, field))
    // A single value with a step begins a range that ends with the field.
    const most = to ?? (item.includes('/') ? field.most : from)
    const values: number[] = []
    for (let value = from ?? 0; value <= (most ?? 0); value += Number(step)) values.push(value)
    return values
  })
}

function isItem(item: string, field: Field): boolean {
  const [range = '', step, ...rest] = item.split('/')
  if (rest.length > 0 || (step !== undefined && !isStep(step, field))) return false
  if (range === '*') return true
  const [from, to, ...more] = range.split('-').map((each) => readValue(each, field))
  if (more.length > 0 || from === undefined || from === null) return false
  return to === undefined || (to !== null && from <= to)
}

function isStep(text: string, { most }: Field): boolean {
  return /^[1-9]\d?$/.test(text) && Number(text) <= most
}

function readValue(text: string, { least, most, names }: Field): number | null {
  const named = names?.indexOf(text.toUpperCase()) ?? -1
  if (named >= 0) return named + least
  if (!/^\d{1,2}$/.test(text)) return null
  const value = Number(text)
  return value >= least && value <= most ? value : null
}
