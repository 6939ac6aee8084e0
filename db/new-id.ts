/** Creates ids of rows: a prefix that names the kind, and a UUIDv7, so that ids sort by time and lists page by id. */

import { randomBytes } from 'node:crypto'

/** Kinds of ids. */
export type IdPrefix =
  | 'mer'
  | 'per'
  | 'apr'
  | 'key'
  | 'sig'
  | 'acc'
  | 'addr'
  | 'dep'
  | 'evt'
  | 'whe'
  | 'whd'
  | 'withdrawal'
  | 'apv'
  | 'tx'
  | 'srq'
  | 'run'
  | 'exc'
  | 'batch'
  | 'item'
  | 'part'
  | 'pay'
  | 'cas'
  | 'csh'
  | 'pol'
  | 'wla'
  | 'rel'
  | 'rsl'
  | 'wsc'
  | 'fir'
  | 'pse'
  | 'mdc'
  | 'rsm'
  | 'snd'
  | 'fil'
  | 'fsp'
  | 'mov'
  | 'fall'
  | 'trf'
  | 'whr'
  | 'exp'
  | 'rec'
  | 'rsc'
  | 'pcl'
  | 'pro'
  | 'upl'

let lastTime = 0
let counter = 0

/** Creates an id such as `dep_0193…` (an RFC 9562 UUIDv7 without hyphens, monotonic within a process). */
export function newId(prefix: IdPrefix): string {
  const now = Date.now()
  if (now > lastTime) {
    lastTime = now
    counter = randomBytes(2).readUInt16BE() & 0x7ff
  } else if (++counter > 0xfff) {
    // After 4,096 ids in one millisecond, borrow from the next one to keep the order.
    lastTime += 1
    counter = 0
  }
  const random = randomBytes(8)
  random[0] = ((random[0] ?? 0) & 0x3f) | 0x80
  return `${prefix}_${lastTime.toString(16).padStart(12, '0')}7${counter.toString(16).padStart(3, '0')}${random.toString('hex')}`
}
