"""Certificates of a test's own authority, for mutual TLS."""

import datetime
from ipaddress import ip_address

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificates:
    """An authority, and credentials it has signed."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._certificate = self._sign(self._name, self._key.public_key(), authority=True)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return credentials that ask clients for a certificate of this authority."""
        key, certificate = self._issue("127.0.0.1")
        return grpc.ssl_server_credentials(
            [(key, certificate)], self._pem(self._certificate), require_client_auth=True
        )

    def client_credentials(self, common_name: str) -> grpc.ChannelCredentials:
        """Return a client's credentials."""
        key, certificate = self._issue(common_name)
        return grpc.ssl_channel_credentials(self._pem(self._certificate), key, certificate)

    def _issue(self, common_name: str) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = self._sign(name, key.public_key())
        encoded = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return encoded, self._pem(certificate)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, authority: bool = False
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(host, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _pem(self, certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(serialization.Encoding.PEM)
