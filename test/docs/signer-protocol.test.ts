/**
 * Holds docs/signer-protocol.md against the signer: it signs the page's examples, and the tables name its
 * checks and codes.
 */

import { createHash, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mnemonicToSeedSync } from '@scure/bip39'
import canonicalizeModule from 'canonicalize'
import { expect, test } from 'vitest'
import { REFUSAL_CODES } from '../../domain/signing/signer-protocol.js'
import { createApprovalVerifier } from '../../signer/approval-verifier.js'
import { ALL_CHECKS } from '../../signer/checks/all-checks.js'
import { decide } from '../../signer/decide.js'
import { Journal } from '../../signer/journal/journal.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { openMemoryWitness } from '../../signer/journal/witness.js'
import { ed25519PublicKey } from '../../signer/keys/identity.js'
import { openKeyring } from '../../signer/keys/keyring.js'
import { compilePolicy, type PolicyFile } from '../../signer/policy/policy.js'
import type { SignerState } from '../../signer/state.js'

// The package's types declare CommonJS, but the import is the function itself.
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string

interface Example {
  readonly title: string
  readonly request: {
    readonly intent: unknown
    readonly intent_hash: string
    readonly approvals: readonly {
      readonly approver_id: string
      readonly decision: string
      readonly signed_at: string
      readonly signature: string
    }[]
  }
  readonly answer: {
    readonly request_id: string
    readonly signed_transaction: string
    readonly transaction_hash: string
  }
}

const page = readFileSync(new URL('../../docs/signer-protocol.md', import.meta.url), 'utf8')

/** Returns the text below a heading of the second level. */
function section(title: string): string {
  const [, text] = page.split(`\n## ${title}\n`)
  if (text === undefined) throw new Error(`The page has no section "${title}"`)
  return text.split('\n## ')[0] ?? ''
}

function jsonBlocks(text: string): unknown[] {
  return [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => JSON.parse(json ?? ''))
}

const policy = jsonBlocks(section('The policy'))[0] as PolicyFile
const examples = section('Worked examples')
  .split('\n### ')
  .slice(1)
  .map((text) => {
    const [request, answer] = jsonBlocks(text)
    return { title: text.split('\n')[0], request, answer } as Example
  })

test('signs the requests of the page, in its order, with the bytes that it shows', () => {
  const now = () => Date.parse('2026-06-01T12:00:00Z')
  const words = `${'abandon '.repeat(11)}about`
  const state: SignerState = {
    signerId: 'sig_example',
    policy: compilePolicy(policy),
    keyring: openKeyring(mnemonicToSeedSync(words)),
    approvals: createApprovalVerifier(),
    journal: new Journal(openMemoryStore(), now),
    witness: openMemoryWitness(),
    now,
    paused: () => false,
    locked: () => false,
  }
  expect(examples).toHaveLength(4)
  for (const { title, request, answer } of examples) {
    const decision = decide(request, state)
    expect(decision, title).toEqual({
      outcome: 'signed',
      requestId: answer.request_id,
      signedTransaction: answer.signed_transaction,
      transactionHash: answer.transaction_hash,
    })
  }
})

test('derives hashes and approvals from the texts of the page, without our own code', () => {
  const keys = new Map(policy.approvers.map((each) => [each.approver_id, ed25519PublicKey(each.public_key)]))
  let verified = 0
  for (const { title, request } of examples) {
    const text = `keyturn-intent-v1\n${canonicalize(request.intent)}`
    expect(createHash('sha256').update(text).digest('hex'), title).toBe(request.intent_hash)
    for (const { approver_id, decision, signed_at, signature } of request.approvals) {
      const message = ['keyturn-approval-v1', request.intent_hash, decision, approver_id, signed_at].join(
        '\n',
      )
      const key = keys.get(approver_id)
      if (!key) throw new Error(approver_id)
      expect(verify(null, Buffer.from(message), key, Buffer.from(signature, 'base64')), title).toBe(true)
      verified++
    }
  }
  expect(verified).toBe(4)
})

test('finds every check in the tables and every refusal code on the page, and no other', () => {
  const [text = ''] = section('What is checked').split('\n### ')
  const cells = [...text.matchAll(/^\| (`(?:[^|\\]|\\.)*) \|/gm)].map(([, cell = '']) => cell)
  // A name stands before a colon. In a cell about several checks, further names follow a semicolon.
  const tables = cells.flatMap((cell) => {
    const [first = '', ...others] = cell.split('; `')
    return [first.split(':')[0] ?? '', ...others.map((other) => `\`${other.split(':')[0]}`)].flatMap(
      (names) => [...names.matchAll(/`([a-z0-9-]+)`/g)].map(([, name = '']) => name),
    )
  })
  const checks = Object.values(ALL_CHECKS).flatMap((list) => list.map((each: { name: string }) => each.name))
  expect([...new Set(tables)].sort()).toEqual([...new Set(checks)].sort())
  const codes = section('Grammar and limits').split('**Refusal codes:**')[1]?.split('. The tables')[0] ?? ''
  expect([...codes.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code)).toEqual([...REFUSAL_CODES])
})
