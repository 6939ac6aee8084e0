/** Reads the state diagrams that doc comments draw, and compares their arrows with the transition tables. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CONTROL_CHANGE_TRANSITIONS } from '../../domain/controls/control-change.js'
import { DEPOSIT_TRANSITIONS } from '../../domain/deposits/deposit-status.js'
import { CIRCUIT_TRANSITIONS } from '../../domain/events/circuit.js'
import { DELIVERY_TRANSITIONS } from '../../domain/events/delivery-status.js'
import { BATCH_TRANSITIONS } from '../../domain/payouts/batch-status.js'
import { WITHDRAWAL_TRANSITIONS } from '../../domain/payouts/withdrawal-stage.js'

type Transitions = Readonly<Record<string, readonly string[]>>

/** One or more states with commas between them: arrows leave or enter each. */
const STATES = /^[a-z_]+(?:, [a-z_]+)*/
/** An arrow, with `┬` where further arrows of the lines below leave the same states. */
const ARROW = /^ (?:──|─┬─)► /
/** A further arrow of the states that stand above, before the `┬` of the same column. */
const BRANCH = /^[├└]─► /

/**
 * Returns the arrows of a drawing, as `from → to`.
 *
 * A line is a chain: states, arrow, states, and so on. It begins with states, or with a branch of a line
 * above. Two spaces or more after states end the chain, and a remark may follow.
 */
function arrowsOf(drawing: string): string[] {
  const arrows: string[] = []
  const branches = new Map<number, readonly string[]>()
  for (const line of drawing.split('\n')) {
    let at = /^[ │]*/.exec(line)?.[0].length ?? 0
    let from: readonly string[] = []
    const branch = BRANCH.exec(line.slice(at))?.[0]
    if (branch) {
      from = branches.get(at) ?? []
      expect(from, `nothing is above the branch of: ${line}`).not.toEqual([])
      at += branch.length
    }
    while (/[^ │]/.test(line)) {
      const states = STATES.exec(line.slice(at))?.[0]
      if (states === undefined) throw new Error(`No state at column ${at} of: ${line}`)
      at += states.length
      const to = states.split(', ')
      arrows.push(...from.flatMap((source) => to.map((target) => `${source} → ${target}`)))
      const arrow = ARROW.exec(line.slice(at))
      if (!arrow) {
        if (!/^(?:$| {2,})/.test(line.slice(at))) throw new Error(`No arrow at column ${at} of: ${line}`)
        break
      }
      const bar = arrow[0].indexOf('┬')
      if (bar >= 0) branches.set(at + bar, to)
      at += arrow[0].length
      from = to
    }
  }
  return arrows
}

/** Returns the drawings of a file: the fenced blocks of doc comments that have an arrow. */
function drawingsOf(path: string): string[] {
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
  return [...text.matchAll(/^ \* ```\n([\s\S]*?)^ \* ```$/gm)]
    .map(([, block = '']) => block.replace(/^ \* ?/gm, ''))
    .filter((block) => block.includes('►'))
}

const inTable = (transitions: Transitions) =>
  Object.entries(transitions).flatMap(([from, targets]) => targets.map((to) => `${from} → ${to}`))

describe('the state diagram of', () => {
  it.each<[string, Transitions]>([
    ['domain/deposits/deposit-status.ts', DEPOSIT_TRANSITIONS],
    ['domain/payouts/withdrawal-stage.ts', WITHDRAWAL_TRANSITIONS],
    ['domain/payouts/batch-status.ts', BATCH_TRANSITIONS],
    ['domain/controls/control-change.ts', CONTROL_CHANGE_TRANSITIONS],
    ['domain/events/delivery-status.ts', DELIVERY_TRANSITIONS],
    ['domain/events/circuit.ts', CIRCUIT_TRANSITIONS],
  ])('%s draws each transition of the table once, and no other', (path, transitions) => {
    const drawings = drawingsOf(path)
    expect(drawings).toHaveLength(1)
    expect(arrowsOf(drawings[0] ?? '').sort()).toEqual(inTable(transitions).sort())
  })
})

describe('the notation', () => {
  it('reads chains, branches, groups and remarks', () => {
    const drawing = [
      'open ─┬─► paid ──► closed      everything went well',
      '      │',
      '      └─► failed, expired',
      'failed, expired ──► open',
    ].join('\n')
    expect(arrowsOf(drawing)).toEqual([
      'open → paid',
      'paid → closed',
      'open → failed',
      'open → expired',
      'failed → open',
      'expired → open',
    ])
  })

  it('rejects an arrow that does not fit', () => {
    expect(() => arrowsOf('open -> paid')).toThrow('No arrow')
    expect(() => arrowsOf('open ──► ')).toThrow('No state')
    expect(() => arrowsOf('  └─► paid')).toThrow('nothing is above')
  })
})
