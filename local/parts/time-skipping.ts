/** Finds or fetches Temporal's time-skipping test server, a Java program from Maven Central. */

import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory } from './cache-directory.js'
import { findOnPath, isExecutable, PartMissing, runToEnd, type Say } from './find-executable.js'

const VERSION = '1.32.0'

/**
 * Returns a command `<path> PORT` that runs the server: `KEYTURN_TEMPORAL_TEST_SERVER_BIN`, PATH, our cache,
 * or its jars by Maven.
 *
 * @throws PartMissing when Java or Maven is missing.
 */
export async function findTimeSkippingServer(say: Say): Promise<string> {
  const named = process.env.KEYTURN_TEMPORAL_TEST_SERVER_BIN ?? findOnPath('temporal-test-server')
  if (named) return named
  const directory = join(cacheDirectory(), `temporal-test-server-${VERSION}`)
  const command = join(directory, 'run')
  if (isExecutable(command)) return command
  const [java, maven] = [findOnPath('java'), findOnPath('mvn')]
  if (!java || !maven)
    throw new PartMissing(
      'Time-skipping Temporal test server cannot be had here: no Java and Maven; set KEYTURN_TEMPORAL_TEST_SERVER_BIN',
    )
  say(`Time-skipping Temporal test server: fetching ${VERSION} from Maven Central, once`)
  mkdirSync(cacheDirectory(), { recursive: true })
  const build = mkdtempSync(join(cacheDirectory(), '.test-server-'))
  try {
    writeFileSync(join(build, 'pom.xml'), POM)
    const failure = await runToEnd(
      maven,
      ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'],
      {
        cwd: build,
        say,
      },
    )
    if (failure !== null)
      throw new PartMissing(`Time-skipping Temporal test server: Maven failed (${failure})`)
    // The first argument is the port. The other arguments of the SDK are for another build of this server.
    writeFileSync(
      join(build, 'run'),
      `#!/bin/sh\ncd "$(dirname "$0")" || exit 1\nexec "\${JAVA:-java}" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp 'lib/*' io.temporal.testserver.TestServer "$1"\n`,
    )
    chmodSync(join(build, 'run'), 0o755)
    if (existsSync(directory)) rmSync(directory, { recursive: true })
    renameSync(build, directory)
    return command
  } finally {
    rmSync(build, { recursive: true, force: true })
  }
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>keyturn</groupId>
  <artifactId>temporal-test-server</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${VERSION}</version>
    </dependency>
  </dependencies>
</project>
`
