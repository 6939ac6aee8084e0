/** Cron expressions as withdrawal schedules take them: five fields, UTC. */

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
 * Why a text is no cron expression; null where it is one: minute, hour, day of the month, month, day of the week, each `*`,
 * numbers, ranges, steps and lists of them, months and days also by their English abbreviations.
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
