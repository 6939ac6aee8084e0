/**
 * Writes RFC 8785 canonical JSON. It keeps a list of open tasks, so that no depth of nesting overflows the
 * stack.
 */

/** Text that is written unchanged. */
interface Text {
  readonly text: string
}
interface Value {
  readonly value: unknown
}
/** End of an object or array. The value may occur again beside itself, but not inside itself. */
interface End {
  readonly end: object
}
type Task = Text | Value | End

/**
 * Writes a value in the form of RFC 8785: no white space, keys sorted by their UTF-16 code units.
 *
 * @throws Error if it holds something that JSON cannot: NaN, an infinity, a bigint, a function, or itself.
 */
export function canonicalJson(value: unknown): string {
  const written: string[] = []
  const open = new Set<object>()
  // The next task is the last of the list.
  const tasks: Task[] = [{ value }]
  for (let task = tasks.pop(); task; task = tasks.pop()) {
    if ('text' in task) written.push(task.text)
    else if ('end' in task) open.delete(task.end)
    else write(task.value, written, tasks, open)
  }
  return written.join('')
}

function write(sent: unknown, written: string[], tasks: Task[], open: Set<object>): void {
  const value = hasToJson(sent) ? sent.toJSON() : sent
  if (typeof value !== 'object' || value === null) {
    written.push(primitive(value))
    return
  }
  if (open.has(value)) throw new Error('The value contains itself and has no canonical JSON form')
  open.add(value)
  const inside = Array.isArray(value) ? arrayTasks(value) : objectTasks(value as Record<string, unknown>)
  tasks.push({ end: value })
  for (let index = inside.length - 1; index >= 0; index--) tasks.push(inside[index] as Task)
}

function arrayTasks(values: readonly unknown[]): Task[] {
  const inside: Task[] = [{ text: '[' }]
  for (let index = 0; index < values.length; index++) {
    if (index > 0) inside.push({ text: ',' })
    inside.push({ value: isLeftOut(values[index]) ? null : values[index] })
  }
  inside.push({ text: ']' })
  return inside
}

function objectTasks(object: Readonly<Record<string, unknown>>): Task[] {
  const inside: Task[] = [{ text: '{' }]
  for (const key of Object.keys(object).sort()) {
    if (isLeftOut(object[key])) continue
    inside.push({ text: `${inside.length > 1 ? ',' : ''}${JSON.stringify(key)}:` }, { value: object[key] })
  }
  inside.push({ text: '}' })
  return inside
}

function primitive(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new Error(`${value} has no canonical JSON form`)
  const text = typeof value === 'bigint' ? undefined : JSON.stringify(value)
  if (text === undefined) throw new Error('The value has no canonical JSON form')
  return text
}

/** Returns whether `JSON.stringify` leaves a value out of objects and writes null for it in arrays. */
function isLeftOut(value: unknown): boolean {
  return value === undefined || typeof value === 'symbol'
}

function hasToJson(value: unknown): value is { toJSON(): unknown } {
  return (
    typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
  )
}
