/**
 * The smallest HTTP API in front of PostgreSQL: the same server library, one route, one indexed query, no
 * checks.
 */

import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { connect } from '../db/connect.js'
import { childOptions, ready } from './child.js'

const { url, connections } = childOptions<{ url: string; connections: number }>()
const sql = connect(url, { max: connections, name: 'keyturn-bench-bare' })
const app = new Hono()
app.get('/addresses/:id', async (c) => {
  const [row] = await sql`
    SELECT id, network, kind, user_reference, label, address, key_account_id, derivation_path, created_at
    FROM addresses WHERE id = ${c.req.param('id')}`
  return row ? c.json(row) : c.notFound()
})
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => ready({ port }))
