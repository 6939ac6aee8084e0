/** Verifies a closed month from its exports and from nodes alone, and names the one line that was changed. */

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { advanceChain } from '../../activities/chain/advance-chain.js'
import type { Findings } from '../../auditor/offline/findings.js'
import { runAudit } from '../../auditor/offline/run-audit.js'
import { UnusableExport } from '../../auditor/offline/unusable-export.js'
import { createUtxoAdapter } from '../../chains/utxo/create-utxo-adapter.js'
import { appendAudit } from '../../db/audit/append-audit.js'
import { sealAudit } from '../../db/audit/seal-audit.js'
import { sealEvents } from '../../db/events/log/seal-events.js'
import { readExport } from '../../db/exports/read-export.js'
import type { ExportDataset } from '../../domain/books/export-dataset.js'
import { periodAt } from '../../domain/books/period.js'
import { periodHash } from '../../domain/books/period-books.js'
import type { Network } from '../../domain/chain/network.js'
import { type Lab, startLab } from '../chains/evm/lab.js'
import { testNetwork } from '../chains/utxo/test-network.js'
import { settle } from '../stage/deposit-steps.js'
import { startTestApi, type TestApi } from '../stage/test-api.js'
import { type TestBitcoin, testBtcd } from '../support/btcd.js'

const PERIOD = periodAt(new Date())

let bitcoin: TestBitcoin
let lab: Lab
let api: TestApi
let directory: string
/** What the platform exported, by file. */
const exported = new Map<string, string>()

beforeAll(async () => {
  ;[bitcoin, lab] = await Promise.all([testBtcd({ mature: 5 }), startLab()])
  const utxo = createUtxoAdapter(testNetwork(bitcoin.rpc))
  const networks = new Map<string, Network>([
    ['bitcoin', { ...testNetwork(bitcoin.rpc), confirmations: 2 }],
    ['ethereum', lab.network],
  ])
  api = await startTestApi({}, { networks })
  const { sql } = api.database
  await api.enrol(api.merchantId)
  await advanceChain(sql, utxo)
  await advanceChain(sql, lab.adapter)
  const issue = async (network: string, user: string): Promise<string> =>
    (await api.call({ method: 'POST', path: '/api/v1/addresses', body: { user_reference: user, network } }))
      .json.data.address
  for (const user of ['alice', 'bob']) {
    await bitcoin.fund(await issue('bitcoin', user), 50_000_000n)
    const address = (await issue('ethereum', user)) as `0x${string}`
    await lab.send({ to: address, value: 7n * 10n ** 17n })
    await lab.usdt.mint(address, 9_250_000n)
  }
  for (let round = 0; round < 2; round++) {
    await bitcoin.mine(6)
    await lab.anvil.mine(6)
    await advanceChain(sql, utxo)
    await advanceChain(sql, lab.adapter)
    await settle(sql, networks)
  }
  const transfer = await api.call({
    method: 'POST',
    path: '/api/v1/transfers',
    body: {
      from_user_reference: 'alice',
      to_user_reference: 'bob',
      network: 'bitcoin',
      coin: 'btc',
      amount: '0.125',
      reason: 'test',
    },
  })
  expect(transfer.status).toBe(201)
  await utxo.close()

  const { data } = (await api.call({ path: `/api/v1/periods/${PERIOD}` })).json
  const period = { ...data, status: 'closed', hash: periodHash(data) }
  await sql.begin((tx) =>
    appendAudit(tx as never, {
      merchantId: api.merchantId,
      actor: 'test',
      action: 'period.closed',
      subject: PERIOD,
      data: { hash: period.hash },
    }),
  )
  while ((await sealEvents(sql)) > 0);
  while ((await sealAudit(sql)) > 0);
  exported.set('period.json', JSON.stringify({ success: true, data: period }))
  exported.set('networks.json', JSON.stringify((await api.call({ path: '/api/v1/networks' })).json))
  for (const dataset of ['ledger', 'audit', 'events', 'addresses'] as const)
    exported.set(`${dataset}.ndjson`, await readAll(dataset, networks))
})
afterAll(async () => {
  await Promise.all([bitcoin?.stop(), lab?.stop()])
  await api?.database.drop()
})
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keyturn-audit-'))
  for (const [name, text] of exported) writeFileSync(join(directory, name), text)
  return () => rmSync(directory, { recursive: true })
})

async function readAll(dataset: ExportDataset, networks: ReadonlyMap<string, Network>): Promise<string> {
  let text = ''
  await readExport(
    api.database.sql,
    networks,
    { merchantId: api.merchantId, dataset, format: 'ndjson', filters: {} },
    {
      selection: { after: 0n, asOf: null, lastSequence: null },
      limits: { statementMs: 30_000, idleMs: 30_000 },
      take: async (page) => {
        text += page.text
      },
    },
  )
  return text
}

const audit = (changes: Partial<Parameters<typeof runAudit>[0]> = {}): Promise<Findings> =>
  runAudit({
    period: PERIOD,
    directory,
    nodes: new Map([
      ['bitcoin', bitcoin.rpc],
      ['ethereum', lab.anvil.rpc],
    ]),
    fromBlocks: new Map(),
    withoutChain: false,
    ...changes,
  })

const faultsOf = (findings: Findings) =>
  findings.verdicts.filter(({ kind }) => kind === 'fault').map(({ check, what }) => `${check}: ${what}`)

/** Changes the text of one line of a file. @param line - From 1. */
function corrupt(name: string, line: number, change: (text: string) => string): void {
  const path = join(directory, name)
  const lines = readFileSync(path, 'utf8').split('\n')
  const before = lines[line - 1] ?? ''
  lines[line - 1] = change(before)
  expect(lines[line - 1]).not.toBe(before)
  writeFileSync(path, lines.join('\n'))
}

/** Changes a field of one line of an NDJSON file. */
const set = (name: string, line: number, fields: Record<string, unknown>) =>
  corrupt(name, line, (text) => JSON.stringify({ ...JSON.parse(text), ...fields }))

/** Changes the period, and its hash with it. */
function changePeriod(fields: Record<string, unknown>): void {
  const { data } = JSON.parse(exported.get('period.json') ?? '')
  const changed = { ...data, ...fields }
  const hash = 'hash' in fields ? fields.hash : periodHash(changed)
  writeFileSync(join(directory, 'period.json'), JSON.stringify({ ...changed, hash }))
}

test('verifies what is right, on both kinds of chains', async () => {
  const findings = await audit()
  expect(faultsOf(findings)).toEqual([])
  expect(findings.verdicts.map(({ check, kind }) => `${kind} ${check}`)).toEqual([
    'holds ledger',
    'holds period',
    'holds trial balance',
    'holds audit log',
    // A note, because no file of keys is given.
    'unchecked approvals',
    'holds events',
    'holds chain bitcoin',
    'holds chain ethereum',
  ])
  expect(findings.exitCode()).toBe(0)
})

describe('names exactly', () => {
  test('the line of the ledger whose amount was changed', async () => {
    const { amount } = JSON.parse((exported.get('ledger.ndjson') ?? '').split('\n')[4] ?? '')
    set('ledger.ndjson', 5, { amount: amount.startsWith('-') ? '-0.01' : '0.01' })
    const findings = await audit()
    expect(faultsOf(findings)).toEqual([
      expect.stringMatching(/^ledger: line 5 \(sequence 5\): balance_after of /),
    ])
    expect(findings.exitCode()).toBe(1)
  })

  test('the line of the ledger that is missing', async () => {
    const lines = (exported.get('ledger.ndjson') ?? '').trimEnd().split('\n')
    writeFileSync(join(directory, 'ledger.ndjson'), lines.slice(0, -1).join('\n'))
    // The last line of a journal leaves it out of balance.
    expect(faultsOf(await audit())).toEqual([expect.stringMatching(/^ledger: journal \d+ does not balance/)])
  })

  test('the line of the audit log that was changed', async () => {
    set('audit.ndjson', 3, { actor: 'person:another' })
    expect(faultsOf(await audit())).toEqual(['audit log: line 3 does not fit to the hashes before it'])
  })

  test('the event that is missing, and one that the ledger does not have', async () => {
    corrupt('events.ndjson', 2, () => '')
    expect(faultsOf(await audit())).toEqual([expect.stringMatching(/^events: line 3 has the sequence 3/)])
    writeFileSync(join(directory, 'events.ndjson'), exported.get('events.ndjson') ?? '')
    const lines = (exported.get('events.ndjson') ?? '').split('\n')
    const line = lines.findIndex((text) => text.includes('"status":"success"')) + 1
    corrupt('events.ndjson', line, (text) => text.replace(/dep_[0-9a-f]+/, 'dep_invented'))
    expect(faultsOf(await audit())).toEqual([
      expect.stringMatching(new RegExp(`^events: line ${line} says that dep_invented was credited`)),
    ])
  })

  test('the line of the trial balance that the entries do not give, and a hash of other books', async () => {
    const { data } = JSON.parse(exported.get('period.json') ?? '')
    changePeriod({ hash: '00'.repeat(32) })
    expect(faultsOf(await audit())).toEqual([
      expect.stringMatching(/^period: the hash is 0000/),
      expect.stringMatching(/^audit log: it says that/),
    ])
    const [first, ...others] = data.trial_balance
    changePeriod({ trial_balance: [{ ...first, balance: '123' }, ...others] })
    expect(faultsOf(await audit())).toEqual([
      expect.stringMatching(/sums to .* and not to zero$/),
      expect.stringContaining(`${first.class} ${first.account} in ${first.coin} on ${first.network} is 123`),
      expect.stringMatching(/^audit log: it says that/),
    ])
  })

  test('the address that holds something else on the chain', async () => {
    const address = (exported.get('addresses.ndjson') ?? '')
      .split('\n')
      .find((text) => text.includes('"alice"'))
    const { network, address: text } = JSON.parse(address ?? '')
    // Coins that came after the block do not count; a block before the deposits has none of them.
    const { data } = JSON.parse(exported.get('period.json') ?? '')
    const proof = await Promise.all(
      data.proof.map(async (each: { network: string }) =>
        each.network === 'bitcoin'
          ? { ...each, block_number: 100, block_hash: await bitcoin.call('getblockhash', 100) }
          : each,
      ),
    )
    changePeriod({ proof })
    const faults = faultsOf(await audit()).filter((fault) => fault.startsWith('chain'))
    expect(faults).toHaveLength(2)
    for (const fault of faults)
      expect(fault).toMatch(
        /^chain bitcoin: bcrt1\w+ holds 0 btc at block 100, and 0.5 in the ledger; it has no unspent output there$/,
      )
    if (network === 'bitcoin') expect(faults.join()).toContain(text)
  })

  test('the outputs of the address that holds more on the chain', async () => {
    const lines = (exported.get('addresses.ndjson') ?? '').trimEnd().split('\n')
    const line = lines.find((each) => each.includes('"bitcoin"') && each.includes('"alice"'))
    const { address } = JSON.parse(line ?? '')
    const txid = await bitcoin.fund(address, 1_000_000n)
    await bitcoin.mine(1)
    const height = await bitcoin.call('getblockcount')
    const { data } = JSON.parse(exported.get('period.json') ?? '')
    const hash = await bitcoin.call('getblockhash', height)
    changePeriod({
      proof: data.proof.map((each: { network: string }) =>
        each.network === 'bitcoin' ? { ...each, block_number: height, block_hash: hash } : each,
      ),
    })
    const [fault, ...others] = faultsOf(await audit()).filter((each) => each.startsWith('chain'))
    expect(others).toEqual([])
    expect(fault).toMatch(
      new RegExp(`holds 0.51 btc at block .* unspent outputs there: \\w+:\\d+ 0.5, ${txid}:\\d+ 0.01$`),
    )
  })

  test('coins outside the books, exactly, and never as something that holds', async () => {
    const lines = (exported.get('addresses.ndjson') ?? '').trimEnd().split('\n')
    const line = lines.findIndex((text) => text.includes('"ethereum"') && text.includes('"alice"')) + 1
    const { address } = JSON.parse(lines[line - 1] ?? '')
    await lab.send({ to: address, value: 1_000n })
    await lab.anvil.mine(1)
    const head = (await lab.anvil.call('eth_getBlockByNumber', 'latest', false)) as {
      number: string
      hash: string
    }
    const { data } = JSON.parse(exported.get('period.json') ?? '')
    changePeriod({
      proof: data.proof.map((each: { network: string }) =>
        each.network === 'ethereum'
          ? { ...each, block_number: Number(head.number), block_hash: head.hash }
          : each,
      ),
    })
    const chainFindings = async (
      ...outside: readonly [amount: string, source: string, block: number | null, bookedAt?: string][]
    ) => {
      writeFileSync(join(directory, 'addresses.ndjson'), exported.get('addresses.ndjson') ?? '')
      const all = outside.map(([amount, source, block_number, booked_at]) => ({
        ...{ coin: 'eth', amount, source, block_number },
        ...(booked_at === undefined ? {} : { booked_at }),
      }))
      if (outside.length > 0)
        set('addresses.ndjson', line, {
          outside_books: all.filter((each) => !('booked_at' in each)),
          booked_rises: all.filter((each) => 'booked_at' in each),
        })
      const { verdicts } = await audit()
      return verdicts
        .filter(({ check, kind }) => check === 'chain ethereum' && kind !== 'holds')
        .map(({ kind, what }) => `${kind} ${what}`)
    }
    const [height, exact, more] = [Number(head.number), '0.000000000000001', '0.000000000000001001']
    expect(await chainFindings()).toEqual([expect.stringMatching(/^fault 0x/)])
    expect(await chainFindings([exact, 'small_transfer', height])).toEqual([
      expect.stringMatching(
        /^unchecked 0\.000000000000001 eth lies outside the books at block \d+ on 1 addresses/,
      ),
    ])
    expect(await chainFindings([more, 'small_transfer', height])).toEqual([
      expect.stringMatching(/^fault 0x/),
    ])
    // What came after the block excuses nothing at it.
    expect(await chainFindings([exact, 'small_transfer', height + 1])).toEqual([
      expect.stringMatching(/^fault 0x/),
    ])
    // A rise that was noticed later may be there already, and a block that was not kept may be later.
    for (const late of [
      ['unexplained', height + 1],
      ['small_transfer', null],
    ] as const)
      expect(await chainFindings([more, ...late])).toEqual([
        expect.stringMatching(/^unchecked 0.000000000000001 eth/),
      ])
    // What people credited after the month lay outside its books, and what they credited in it did not.
    const { to } = data
    const before = new Date(Date.parse(to) - 1).toISOString()
    expect(await chainFindings([exact, 'unexplained', height, to])).toEqual([
      expect.stringMatching(/^unchecked 0.000000000000001 eth/),
    ])
    expect(await chainFindings([exact, 'unexplained', height, before])).toEqual([
      expect.stringMatching(/^fault 0x/),
    ])
  })

  test('a proof whose block is not on the chain', async () => {
    const { data } = JSON.parse(exported.get('period.json') ?? '')
    changePeriod({
      proof: data.proof.map((each: { network: string }) =>
        each.network === 'ethereum' ? { ...each, block_hash: `0x${'ab'.repeat(32)}` } : each,
      ),
    })
    const chain = faultsOf(await audit()).filter((fault) => fault.startsWith('chain'))
    expect(chain).toEqual([expect.stringMatching(/^chain ethereum: The node of ethereum has 0x/)])
  })
})

test('exports what lies outside the books with its source and block', async () => {
  const { sql } = api.database
  const [address] = await sql`SELECT id FROM addresses WHERE network = 'ethereum' AND user_reference = 'bob'`
  await sql`
    INSERT INTO small_transfers (network, block_number, address_id, coin, transfers, amount)
    VALUES ('ethereum', -1, ${address?.id}, 'usdt', 2, 30), ('ethereum', 7, ${address?.id}, 'usdt', 1, 5)`
  await sql`
    INSERT INTO balance_rises (network, address_id, coin, source, reference, block_number, amount)
    VALUES ('ethereum', ${address?.id}, 'eth', 'unexplained', '9', 9, 1)`
  await sql`
    INSERT INTO balance_rises (network, address_id, coin, source, reference, block_number, amount, journal_id)
    SELECT 'ethereum', ${address?.id}, 'eth', 'validator_withdrawal', '31', 8, 2, min(id) FROM ledger_journals`
  const lines = (await readAll('addresses', new Map([['ethereum', lab.network]]))).trimEnd().split('\n')
  const line = lines.map((text) => JSON.parse(text)).find(({ id }) => id === address?.id)
  expect(line.outside_books).toEqual([
    { coin: 'eth', amount: '0.000000000000000001', source: 'unexplained', block_number: 9 },
    { coin: 'usdt', amount: '0.000005', source: 'small_transfer', block_number: 7 },
    { coin: 'usdt', amount: '0.00003', source: 'small_transfer', block_number: null },
  ])
  expect(line.booked_rises).toEqual([
    {
      ...{ coin: 'eth', amount: '0.000000000000000002', source: 'validator_withdrawal', block_number: 8 },
      ...{ journal_id: expect.any(String), booked_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*\.\d{3}Z$/) },
    },
  ])
})

describe('says that it could not check', () => {
  test('the chains, where they are left out', async () => {
    const findings = await audit({ withoutChain: true })
    expect([faultsOf(findings), findings.exitCode()]).toEqual([[], 3])
  })

  test('a chain without a node, or with one that does not answer', async () => {
    const findings = await audit({ nodes: new Map([['bitcoin', 'http://user:secret@127.0.0.1:1']]) })
    expect(faultsOf(findings)).toEqual([])
    expect(findings.exitCode()).toBe(3)
    const unchecked = findings.verdicts.filter((each) => each.kind === 'unchecked' && !each.note)
    expect(unchecked.map(({ check }) => check)).toEqual(['chain bitcoin', 'chain ethereum'])
    expect(JSON.stringify(unchecked)).not.toContain('secret')
  })

  test('a directory that lacks a file, or has another month', async () => {
    await expect(audit({ period: '2020-01' })).rejects.toThrow(UnusableExport)
    rmSync(join(directory, 'events.ndjson'))
    await expect(audit()).rejects.toThrow(/GET \/exports\/events/)
  })
})

test('is a program with exit codes', async () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'auditor/offline/main.ts', ...args]).then(
      ({ stdout }) => ({ code: 0, stdout }),
      (error: { code: number; stdout: string }) => ({ code: error.code, stdout: error.stdout }),
    )
  const help = await run('--help')
  expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('usage: npm run audit')])
  expect((await run()).code).toBe(2)
  const whole = ['--period', PERIOD, '--export', directory]
  expect(
    (await run(...whole, '--rpc', `bitcoin=${bitcoin.rpc}`, '--rpc', `ethereum=${lab.anvil.rpc}`)).code,
  ).toBe(0)
  set('audit.ndjson', 1, { subject: 'x' })
  const wrong = await run(...whole, '--without-chain', '--json')
  expect(wrong.code).toBe(1)
  expect(JSON.parse(wrong.stdout)).toMatchObject({ exit_code: 1 })
})
