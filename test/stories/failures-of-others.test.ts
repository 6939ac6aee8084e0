/**
 * Lists failures that other custodians' payouts had, each with a test that excludes it here. Most tests stand
 * beside the code that they are about and begin with `story N:`; this file has the list, and the tests that
 * belong to no single room.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  isSigned,
  WITHDRAWAL_STAGES,
  WITHDRAWAL_TRANSITIONS,
  type WithdrawalStage,
} from '../../domain/payouts/withdrawal-stage.js'
import { decide } from '../../signer/decide.js'
import {
  BTC_STRANGER,
  btcRequest,
  CHANGE_PATH,
  COINS,
  FEE,
  honestOutputs,
  keyring,
  makeState,
  otherKeyring,
  ownScript,
  parentOf,
} from '../signer/fixture.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The failures, by the number that the tests name. */
const STORIES: Readonly<Record<number, string>> = {
  1: 'A nonce whose transaction never came blocked every payout above it.',
  2: 'An outage of the node failed payouts that were signed already.',
  3: 'A spike of the fee left payouts stuck that no person could replace or cancel.',
  4: 'A nonce that was kept in memory was given out twice.',
  5: 'A nonce that another program used failed a payout before that was final.',
  6: 'A retry built a payout that was signed already, and paid it again.',
  7: 'A lost reply to a broadcast led to a second payout.',
  8: 'Payouts in parallel spent the same output or used the same nonce.',
  9: 'A decision that came again was answered as if it had never been made.',
  10: 'People reviewed one transaction, and the signer signed another.',
  11: 'An output that only claimed to be change took the coins away.',
  12: 'Amounts that the builder of a transaction named hid its fee.',
  13: 'A field was not signed, a log was lost, or a payout needed no approval.',
  14: 'One person gave both approvals of a payout that needed two.',
  15: 'One recipient that could not be paid failed the whole batch.',
}

function filesOf(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

test('story 4: keeps no nonce in memory, as a nonce is a row', () => {
  const rooms = ['activities', 'api', 'chains', 'db', 'domain', 'signer', 'workers', 'workflows']
  const files = rooms.flatMap(filesOf)
  expect(files.length).toBeGreaterThan(300)
  const managed = files.filter((file) => /nonceManager|NonceManager/.test(readFileSync(file, 'utf8')))
  expect(managed).toEqual([])
})

/** Returns every stage that can be reached from one. */
function reachable(from: WithdrawalStage): Set<WithdrawalStage> {
  const seen = new Set<WithdrawalStage>([from])
  for (const stage of seen) for (const next of WITHDRAWAL_TRANSITIONS[stage]) seen.add(next)
  return seen
}

test('story 6: never moves a signed payout back to a stage that builds and pays it again', () => {
  const payable: readonly WithdrawalStage[] = [
    'requested',
    'pending_review',
    'pending_approval',
    'approved',
    'building',
    'pending_signature',
  ]
  for (const stage of WITHDRAWAL_STAGES.filter(isSigned)) {
    const after = reachable(stage)
    for (const each of payable) expect(after.has(each), `${stage} → ${each}`).toBe(false)
  }
})

const [paid, change] = honestOutputs
if (!paid || !change) throw new Error('the fixture has two outputs')

test('story 11: refuses an output that only claims to be change', () => {
  // Our own path with the script of a stranger.
  const stranger = { address: BTC_STRANGER, amount: change.amount, path: CHANGE_PATH }
  expect(decide(btcRequest({ psbt: { outputs: [paid, stranger] } }), makeState())).toMatchObject({
    code: 'CHANGE_NOT_MINE',
  })
  // The key of another seed at the path of change.
  const foreign = { ...change, script: ownScript(CHANGE_PATH, otherKeyring) }
  expect(decide(btcRequest({ psbt: { outputs: [paid, foreign] } }), makeState())).toMatchObject({
    code: 'CHANGE_NOT_MINE',
  })
  // Our own key at a path that no wallet scans, where an attacker could hold the coins to ransom.
  const lost = "m/84'/1'/1'/1/1900000000"
  const far = { ...change, script: ownScript(lost), path: lost }
  expect(decide(btcRequest({ psbt: { outputs: [paid, far] } }), makeState())).toMatchObject({
    code: 'CHANGE_NOT_MINE',
  })
  expect(keyring.fingerprint).not.toBe(otherKeyring.fingerprint)
})

test('story 12: reads the amounts of inputs from their parents, so that no fee is hidden', () => {
  const [first] = COINS
  if (!first) throw new Error('a coin')
  const lying = btcRequest({
    psbt: {
      change: (psbt) => {
        const input = psbt.data.inputs[0]?.witnessUtxo
        if (input) input.value = first.amount - 10_000_000n
      },
    },
  })
  expect(decide(lying, makeState())).toMatchObject({ outcome: 'refused', code: 'AMOUNT_MISMATCH' })
  expect(decide(btcRequest({ psbt: { withoutParent: 0 } }), makeState())).toMatchObject({
    code: 'UNKNOWN_INPUT',
  })
  // A parent that pays more than the parent that the outpoint names.
  const richer = parentOf({ ...first, amount: first.amount + 10_000_000n })
  const swapped = btcRequest({
    psbt: {
      change: (psbt) => {
        const input = psbt.data.inputs[0]
        if (input) input.nonWitnessUtxo = richer.toBuffer()
      },
    },
  })
  expect(decide(swapped, makeState())).toMatchObject({ outcome: 'refused', code: 'UNKNOWN_INPUT' })
  expect(FEE).toBeGreaterThan(0n)
})

test('names each story in a test', () => {
  const texts = filesOf('test').map((file) => readFileSync(file, 'utf8'))
  for (const [story, failure] of Object.entries(STORIES)) {
    // The second form is the name after the cases of `test.each`.
    const named = texts.some((text) => new RegExp(`(?:test|\\))\\(\\s*['"\`]story ${story}:`).test(text))
    expect(named, `story ${story}: ${failure}`).toBe(true)
  }
})
