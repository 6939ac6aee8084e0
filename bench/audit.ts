/** Measures the comparison of an EVM network's balances with the books: a tenth of the addresses, and all of them. */

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { auditChain } from '../activities/books/audit/audit-chain.js'
import type { Sql } from '../db/connect.js'
import { createMerchant } from '../db/merchants/create-merchant.js'
import type { EvmNetwork } from '../domain/chain/network.js'
import { parseNetworks } from '../networks/load-networks.js'
import type { BenchContext } from './context.js'
import type { Measurement } from './measurement.js'

/** Addresses, unless `BENCH_ADDRESSES` says otherwise. */
const ADDRESSES = 1_000_000
/** Smallest expected ratio of the rate with all addresses to that with a tenth: the cost is linear. */
const EXPECTED = 1 / 1.5
/** Balances between two measurements of the memory in use. */
const SAMPLE = 50_000
const HASH = `0x${'11'.repeat(32)}`
const HEIGHT = 100

/** Compares with a node that answers at once, so that the figures are those of the comparison. */
export async function benchAudit(context: BenchContext): Promise<Measurement[]> {
  const { sql } = await context.database({ max: 4 })
  const all = Number(process.env.BENCH_ADDRESSES ?? ADDRESSES)
  const node = await startNode()
  context.onEnd(node.stop)
  const network = evmNetwork(node.url)
  await sql`
    INSERT INTO chain_cursors (network, height, block_hash, head_height)
    VALUES (${network.name}, ${HEIGHT}, ${HASH}, ${HEIGHT})`
  const small = await merchantWith(sql, network.name, Math.ceil(all / 10))
  const large = await merchantWith(sql, network.name, all)
  await sql`VACUUM (ANALYZE)`
  const few = await compare(sql, network, small, node)
  const many = await compare(sql, network, large, node)
  const { rate, bytes, questions, requests } = many
  const shown = all.toLocaleString('en')
  return [
    {
      name: `audit of ${shown} addresses`,
      unit: 'balances/s',
      ours: rate,
      against: 'a tenth of them',
      reference: few.rate,
      ratio: rate / few.rate,
      expected: EXPECTED,
    },
    {
      name: `audit of ${shown} addresses, memory in use`,
      unit: 'MB',
      ours: bytes / 1e6,
      against: 'a tenth of them',
      reference: few.bytes / 1e6,
      ratio: few.bytes / bytes,
      expected: EXPECTED,
    },
    {
      name: `audit of ${shown} addresses, questions a balance`,
      unit: 'questions',
      ours: questions / all,
      against: null,
      reference: null,
      ratio: null,
      expected: null,
      note: `${requests.toLocaleString('en')} requests`,
    },
  ]
}

/** Frees what is no longer used, so that what is measured is in use. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
}

interface Node {
  readonly url: string
  readonly questions: () => number
  readonly requests: () => number
  readonly stop: () => Promise<void>
}

async function compare(sql: Sql, network: EvmNetwork, merchantId: string, node: Node) {
  const [questions, requests] = [node.questions(), node.requests()]
  const began = performance.now()
  let bytes = 0
  let next = 0
  const result = await auditChain(
    sql,
    { merchantId, network, atBlock: HEIGHT, key: randomUUID() },
    {
      onProgress: (done) => {
        if (done < next) return
        next = done + SAMPLE
        collectGarbage()
        bytes = Math.max(bytes, process.memoryUsage().heapUsed)
      },
    },
  )
  if (result.kind !== 'compared') throw new Error(result.kind === 'failed' ? result.message : result.kind)
  if (result.findings.differenceCount > 0) throw new Error('The books differ from the node')
  return {
    rate: result.examined / ((performance.now() - began) / 1_000),
    bytes,
    questions: node.questions() - questions,
    requests: node.requests() - requests,
  }
}

/** Inserts a merchant with addresses, each of which holds 5 wei in the books. */
async function merchantWith(sql: Sql, network: string, count: number): Promise<string> {
  const { id } = await createMerchant(sql, { name: 'audited', rails: [] })
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES (${id}, ${id}, 'signer', '1', sha256(${id}::bytea), '00000000', repeat('0', 64))`
  await sql`
    INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
    VALUES (${id}, ${id}, ${id}, ${network}, 'deposit', 'm', ${id})`
  await sql`
    INSERT INTO addresses (id, merchant_id, network, kind, user_reference, address, payee, match_key, key_account_id, branch,
                           index, derivation_path)
    SELECT 'addr_' || ${id} || lpad(n::text, 8, '0'), ${id}, ${network}, 'deposit', 'user-' || n, '0x' || hash, decode(hash, 'hex'),
           n, ${id}, 0, n, 'm'
    FROM generate_series(1, ${count}::integer) AS n, LATERAL (SELECT substr(md5(${id} || n) || md5(n::text), 1, 40) AS hash) AS made`
  await sql`
    INSERT INTO ledger_accounts (merchant_id, network, coin, kind, owner, balance, updated_at)
    SELECT merchant_id, network, 'eth', 'chain', id, 5, now() - interval '1 day' FROM addresses WHERE merchant_id = ${id}`
  return id
}

/** Starts a node on which every address holds 5 wei. */
async function startNode(): Promise<Node> {
  let questions = 0
  let requests = 0
  const answer = ({ id, method }: { id: number; method: string }) => {
    questions += 1
    const result =
      method === 'eth_chainId' ? '0x7a69' : method === 'eth_getBlockByNumber' ? { hash: HASH } : '0x5'
    return { jsonrpc: '2.0', id, result }
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      requests += 1
      const body = JSON.parse(Buffer.concat(chunks).toString())
      response.end(JSON.stringify(Array.isArray(body) ? body.map(answer) : answer(body)))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    questions: () => questions,
    requests: () => requests,
    stop: async () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function evmNetwork(url: string): EvmNetwork {
  const network = parseNetworks(`
networks:
  ethereum:
    family: evm
    chain_id: 31337
    coin: { name: eth, decimals: 18 }
    derivation: { purpose: 44, coin_type: 60 }
    rpc_urls: "${url}"
    confirmations: 3
    block_time_seconds: 1
    fees: { max_fee_gwei: 500, max_priority_fee_gwei: 50, max_total: "0.05" }
`).get('ethereum')
  if (network?.family !== 'evm') throw new Error('no EVM network')
  return network
}
