export { FakeClock, SequentialIds } from './fakes';
export { adminUrl, testStack, type TestStack } from './stack';
export { tcpProxy, type TcpProxy } from './tcp-proxy';
export { testDatabase, type TestDatabase } from './test-database';
export { testIdentity, type TestIdentity, type TestNode } from './test-identity';
export { testKafka, type TestKafka } from './test-kafka';
export { testRedis, type TestRedis } from './test-redis';
export { startTestService, testClient, testEnvironment, type TestEnvironment, type TestService } from './test-service';
export { eventually, freePort } from './waiting';
