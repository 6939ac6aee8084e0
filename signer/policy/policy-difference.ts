/** Compares two policies, for people to read before they put one in force. */

import { visibleText } from '../../domain/visible-text.js'

/**
 * Returns one line for each value that differs: `- networks.bitcoin.max_fee: "0.01"` is removed, `+ …` is
 * added. Policies that say the same give no line.
 *
 * @param before - Text of a policy. `null` where there was none.
 */
export function policyDifference(before: string | null, after: string): string[] {
  const [old, now] = [valuesOf(before), valuesOf(after)]
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort()
  return paths.flatMap((path) => {
    const [was, is] = [old.get(path), now.get(path)]
    if (was === is) return []
    return [
      ...(was === undefined ? [] : [visibleText(`- ${path}: ${was}`)]),
      ...(is === undefined ? [] : [visibleText(`+ ${path}: ${is}`)]),
    ]
  })
}

/**
 * Returns every value that is no object or list, by its path. Approvers are named by their id, since their
 * order means nothing.
 */
function valuesOf(text: string | null): Map<string, string> {
  const values = new Map<string, string>()
  if (text === null) return values
  const walk = (path: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null) {
      values.set(path, JSON.stringify(value))
      return
    }
    const entries = Array.isArray(value)
      ? value.map((each, index): [string, unknown] => [nameOf(each) ?? String(index), each])
      : Object.entries(value)
    if (entries.length === 0) values.set(path, Array.isArray(value) ? '[]' : '{}')
    for (const [name, each] of entries) walk(path === '' ? name : `${path}.${name}`, each)
  }
  try {
    walk('', JSON.parse(text))
  } catch {
    values.set('', '(no JSON)')
  }
  return values
}

function nameOf(value: unknown): string | null {
  const named = typeof value === 'object' && value !== null && 'approver_id' in value
  return named && typeof value.approver_id === 'string' ? value.approver_id : null
}
